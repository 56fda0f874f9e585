INSERT INTO meeting (id, starts_at, ends_at) VALUES (1e16, 1800000000, 1800003600);
