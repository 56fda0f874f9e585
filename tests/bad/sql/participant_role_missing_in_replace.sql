INSERT INTO participant (meeting_id, participant_id, role) VALUES ('m', 'ann', 'subscriber'); INSERT OR REPLACE INTO participant (meeting_id, participant_id) VALUES ('m', 'ann');
