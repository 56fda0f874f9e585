INSERT INTO participant (meeting_id, participant_id, role) VALUES ('m', 'ann', 'host');
