INSERT INTO participant (meeting_id, id, role) VALUES (NULL, 'ann', 'publisher');
