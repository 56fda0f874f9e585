INSERT INTO block (meeting_id, participant_id) VALUES ('m', 'ann'), ('m', 'ann');
