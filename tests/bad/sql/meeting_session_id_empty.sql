INSERT INTO meeting (id, starts_at, ends_at, session_id) VALUES ('m', 1800000000, 1800003600, '');
