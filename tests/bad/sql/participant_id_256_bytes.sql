INSERT INTO participant (meeting_id, id, role) VALUES ('m', printf('%.256c', 'a'), 'publisher');
