INSERT INTO block (meeting_id) VALUES ('m');
