INSERT INTO request (action, project, requested_at) VALUES ('rotate', '*', 1800000000000);
