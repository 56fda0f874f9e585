INSERT INTO participant (meeting_id, participant_id, role, layout_classes) VALUES ('m', 'ann', 'publisher', printf('%.1001c', 'c'));
