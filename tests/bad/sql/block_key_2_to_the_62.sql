INSERT INTO block (id, meeting_id, participant_id) VALUES (4611686018427387904, 'm', 'ann');
