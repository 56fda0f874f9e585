INSERT INTO participant (id, meeting_id, participant_id, role) VALUES ('ann', 'm', 'ann', 'publisher');
