INSERT INTO request (action, project) VALUES ('rotate', printf('%.65c', 'p'));
