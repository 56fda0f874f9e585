INSERT INTO request (id, action, project) VALUES (4611686018427387904, 'rotate', '*');
