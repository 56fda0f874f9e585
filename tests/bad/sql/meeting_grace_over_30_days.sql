INSERT INTO meeting (id, starts_at, ends_at, grace) VALUES ('m', 1800000000, 1800003600, 2592001);
