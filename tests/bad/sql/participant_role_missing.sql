INSERT INTO participant (meeting_id, id) VALUES ('m', 'ann');
