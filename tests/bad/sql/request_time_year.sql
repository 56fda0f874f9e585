INSERT INTO request (action, project, requested_at) VALUES ('rotate', '*', '2026-11-26');
