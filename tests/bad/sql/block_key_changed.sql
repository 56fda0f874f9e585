INSERT INTO block (id, meeting_id, participant_id) VALUES (1, 'm', 'ann'); UPDATE block SET id = 2;
