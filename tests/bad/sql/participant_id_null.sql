INSERT INTO participant (meeting_id, id, role) VALUES ('m', NULL, 'publisher');
