INSERT INTO request (action, requested_at) VALUES ('rotate', 'now');
