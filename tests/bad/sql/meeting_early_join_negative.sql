INSERT INTO meeting (id, starts_at, ends_at, early_join) VALUES ('m', 1800000000, 1800003600, -1);
