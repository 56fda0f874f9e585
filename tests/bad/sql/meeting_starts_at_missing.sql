INSERT INTO meeting (id, ends_at) VALUES ('m', 1800003600);
