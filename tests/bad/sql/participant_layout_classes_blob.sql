INSERT INTO participant (meeting_id, participant_id, role, layout_classes) VALUES ('m', 'ann', 'publisher', x'61');
