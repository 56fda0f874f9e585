INSERT INTO request (action, meeting_id) VALUES ('rotate', 'm'); UPDATE request SET meeting_id = 'n';
