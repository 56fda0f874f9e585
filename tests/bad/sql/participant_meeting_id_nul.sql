INSERT INTO participant (meeting_id, id, role) VALUES ('m' || char(0), 'ann', 'publisher');
