INSERT INTO participant (meeting_id, id, role) VALUES (printf('%.256c', 'm'), 'ann', 'publisher');
