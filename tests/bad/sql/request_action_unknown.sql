INSERT INTO request (action) VALUES ('revoke');
