INSERT INTO meeting (id, starts_at, ends_at) VALUES ('m', -1, 1800003600);
