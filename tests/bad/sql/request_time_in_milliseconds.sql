INSERT INTO request (action, requested_at) VALUES ('rotate', 1800000000000);
