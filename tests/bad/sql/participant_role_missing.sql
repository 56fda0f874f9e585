INSERT INTO participant (meeting_id, participant_id) VALUES ('m', 'ann');
