INSERT INTO participant (meeting_id, participant_id, role) VALUES (42.0, 'ann', 'publisher');
