INSERT INTO participant (meeting_id, id, role) VALUES (x'6d', 'ann', 'publisher');
