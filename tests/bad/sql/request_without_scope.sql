INSERT INTO request (action) VALUES ('replace_session');
