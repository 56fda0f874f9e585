INSERT INTO request (action, project, requested_by) VALUES ('rotate', '*', NULL);
