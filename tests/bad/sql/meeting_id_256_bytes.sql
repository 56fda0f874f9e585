INSERT INTO meeting (id, starts_at, ends_at) VALUES (printf('%.256c', 'a'), 1800000000, 1800003600);
