INSERT INTO meeting (id, starts_at, ends_at) VALUES (NULL, 1800000000, 1800003600);
