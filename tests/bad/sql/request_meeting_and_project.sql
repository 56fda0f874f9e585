INSERT INTO request (action, meeting_id, project) VALUES ('rotate', 'm', 'p');
