INSERT INTO block (meeting_id, participant_id, reason) VALUES ('m', 'ann', x'61');
