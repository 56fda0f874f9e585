INSERT INTO participant (meeting_id, participant_id, role, connection_data) VALUES ('m', 'ann', 'publisher', replace(printf('%.501c', 'd'), 'd', char(233)));
