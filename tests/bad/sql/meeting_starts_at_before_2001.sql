INSERT INTO meeting (id, starts_at, ends_at) VALUES ('m', 999999999, 1800003600);
