INSERT OR IGNORE INTO request (id, action, project) VALUES (9223372036854775807, 'rotate', '*');
