INSERT INTO request (action, meeting_id) VALUES ('replace_session', NULL);
