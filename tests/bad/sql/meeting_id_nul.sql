INSERT INTO meeting (id, starts_at, ends_at) VALUES ('m' || char(0) || 'n', 1800000000, 1800003600);
