INSERT INTO participant (id, meeting_id, participant_id, role) VALUES (4611686018427387904, 'm', 'ann', 'publisher');
