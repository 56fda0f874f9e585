INSERT INTO meeting (id, starts_at, ends_at, archive_mode, archive_resolution) VALUES ('m', 1800000000, 1800003600, 'always', '800x600');
