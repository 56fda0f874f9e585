INSERT INTO participant (meeting_id, participant_id, role) VALUES ('m', x'61', 'publisher');
