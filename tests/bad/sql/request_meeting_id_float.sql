INSERT INTO request (action, meeting_id) VALUES ('rotate', 7.0);
