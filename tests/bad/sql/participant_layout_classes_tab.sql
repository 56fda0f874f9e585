INSERT INTO participant (meeting_id, id, role, layout_classes) VALUES ('m', 'ann', 'publisher', 'a' || char(9) || 'b');
