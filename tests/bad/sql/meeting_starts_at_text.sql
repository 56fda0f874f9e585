INSERT INTO meeting (id, starts_at, ends_at) VALUES ('m', '2027-01-15 08:00:00', 1800003600);
