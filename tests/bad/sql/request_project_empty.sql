INSERT INTO request (action, project) VALUES ('rotate', '');
