INSERT INTO participant (meeting_id, role) VALUES ('m', 'publisher');
