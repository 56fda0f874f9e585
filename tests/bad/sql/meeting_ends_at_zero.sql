INSERT INTO meeting (id, starts_at, ends_at) VALUES ('m', 1800000000, 0);
