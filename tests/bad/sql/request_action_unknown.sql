INSERT INTO request (action, project) VALUES ('revoke', '*');
