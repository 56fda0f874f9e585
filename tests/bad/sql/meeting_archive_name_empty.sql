INSERT INTO meeting (id, starts_at, ends_at, archive_mode, archive_name) VALUES ('m', 1800000000, 1800003600, 'always', '');
