INSERT INTO participant (meeting_id, participant_id, role) VALUES ('m', char(0), 'publisher');
