INSERT INTO request (action, meeting_id) VALUES ('rotate', 'm'); UPDATE request SET action = 'replace_session';
