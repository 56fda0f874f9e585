INSERT INTO participant (meeting_id, id, role) VALUES ('m', x'61', 'publisher');
