INSERT INTO request (action, project, requested_at) VALUES ('rotate', '*', 999999999);
