INSERT INTO participant (meeting_id, participant_id, role) VALUES (printf('%.256c', 'm'), 'ann', 'publisher');
