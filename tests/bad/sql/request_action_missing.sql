INSERT INTO request (meeting_id) VALUES ('m');
