INSERT INTO meeting (id, starts_at, ends_at) VALUES (x'6d', 1800000000, 1800003600);
