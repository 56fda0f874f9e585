INSERT INTO request (action, meeting_id) VALUES ('rotate', printf('%.256c', 'a'));
