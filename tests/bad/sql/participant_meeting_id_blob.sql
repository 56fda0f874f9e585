INSERT INTO participant (meeting_id, participant_id, role) VALUES (x'6d', 'ann', 'publisher');
