INSERT INTO participant (meeting_id, id, role) VALUES ('', 'ann', 'publisher');
