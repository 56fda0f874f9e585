INSERT INTO block (meeting_id, participant_id) VALUES ('m', 7.0);
