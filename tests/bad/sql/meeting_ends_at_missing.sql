INSERT INTO meeting (id, starts_at) VALUES ('m', 1800000000);
