INSERT INTO block (meeting_id, participant_id, blocked_at) VALUES ('m', 'ann', 1800000000000);
