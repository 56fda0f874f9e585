INSERT INTO meeting (id, starts_at, ends_at) VALUES ('m', 2026, 1800003600);
