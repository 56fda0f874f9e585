INSERT INTO participant (meeting_id, participant_id, role, display_name) VALUES ('m', 'ann', 'publisher', x'61');
