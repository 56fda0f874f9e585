INSERT INTO participant (meeting_id, participant_id, role) VALUES ('m', printf('%.256c', 'a'), 'publisher');
