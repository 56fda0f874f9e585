INSERT INTO request (action, requested_by) VALUES ('rotate', NULL);
