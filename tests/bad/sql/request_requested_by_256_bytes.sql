INSERT INTO request (action, project, requested_by) VALUES ('rotate', '*', printf('%.256c', 'a'));
