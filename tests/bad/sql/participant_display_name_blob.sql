INSERT INTO participant (meeting_id, id, role, display_name) VALUES ('m', 'ann', 'publisher', x'61');
