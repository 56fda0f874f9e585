INSERT INTO block (meeting_id, participant_id) VALUES ('', 'ann');
