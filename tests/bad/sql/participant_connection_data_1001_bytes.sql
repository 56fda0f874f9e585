INSERT INTO participant (meeting_id, participant_id, role, connection_data) VALUES ('m', 'ann', 'publisher', printf('%.1001c', 'd'));
