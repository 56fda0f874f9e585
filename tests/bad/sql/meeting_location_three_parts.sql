INSERT INTO meeting (id, starts_at, ends_at, location) VALUES ('m', 1800000000, 1800003600, '192.0.2');
