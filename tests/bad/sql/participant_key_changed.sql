INSERT INTO participant (id, meeting_id, participant_id, role) VALUES (1, 'm', 'ann', 'publisher'); UPDATE participant SET id = 2;
