INSERT INTO request (action, meeting_id) VALUES ('rotate', x'6d');
