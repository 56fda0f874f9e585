INSERT INTO request (action, meeting_id) VALUES ('rotate', 'a' || char(0));
