INSERT INTO request (action, project) VALUES ('rotate', x'70');
