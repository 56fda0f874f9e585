INSERT INTO participant (meeting_id, id, role, connection_data) VALUES ('m', 'ann', 'publisher', 'd' || char(0));
