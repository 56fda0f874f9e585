INSERT INTO participant (meeting_id, id, role, connection_data) VALUES ('m', 'ann', 'publisher', x'64');
