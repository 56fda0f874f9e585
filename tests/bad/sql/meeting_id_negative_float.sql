INSERT INTO meeting (id, starts_at, ends_at) VALUES (-7.0, 1800000000, 1800003600);
