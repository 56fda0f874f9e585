INSERT INTO request (id, action, meeting_id) VALUES (1, 'rotate', 'm'); UPDATE OR REPLACE request SET id = 2;
