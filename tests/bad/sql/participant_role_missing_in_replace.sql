INSERT INTO participant (meeting_id, id, role) VALUES ('m', 'ann', 'subscriber'); INSERT OR REPLACE INTO participant (meeting_id, id) VALUES ('m', 'ann');
