PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE meeting (
    id TEXT NOT NULL PRIMARY KEY
        CONSTRAINT id_must_be_bound_as_text_not_as_a_float
            CHECK (NOT ((id GLOB '*[0-9].0' OR id GLOB '*[0-9]e[+-][0-9]*')
                        AND CAST(CAST(id AS REAL) AS TEXT) = CAST(id AS TEXT)))
        CONSTRAINT id_must_be_text_of_1_to_255_bytes
            CHECK (typeof(id) IN ('text', 'integer') AND length(CAST(id AS BLOB)) BETWEEN 1 AND 255)
        CONSTRAINT id_must_not_contain_nul CHECK (instr(CAST(id AS BLOB), x'00') = 0),
    title TEXT NOT NULL DEFAULT ''
        CONSTRAINT title_must_be_text_without_nul
            CHECK (typeof(title) = 'text' AND instr(CAST(title AS BLOB), x'00') = 0),
    starts_at INTEGER NOT NULL
        -- 1e9 seconds is the year 2001; less is a year or a day. 1e11 is the year 5138; more is milliseconds.
        CONSTRAINT starts_at_must_be_unix_seconds
            CHECK (typeof(starts_at) = 'integer' AND starts_at BETWEEN 1000000000 AND 99999999999),
    ends_at INTEGER NOT NULL
        CONSTRAINT ends_at_must_be_unix_seconds
            CHECK (typeof(ends_at) = 'integer' AND ends_at BETWEEN 1000000000 AND 99999999999),
    status TEXT NOT NULL DEFAULT 'scheduled'
        CONSTRAINT status_must_be_scheduled_or_cancelled CHECK (status IN ('scheduled', 'cancelled')),
    project TEXT NOT NULL DEFAULT 'default'
        CONSTRAINT project_must_be_text_of_1_to_64_bytes
            CHECK (typeof(project) = 'text' AND length(CAST(project AS BLOB)) BETWEEN 1 AND 64
                   AND instr(CAST(project AS BLOB), x'00') = 0)
        -- A request says '*' for all projects.
        CONSTRAINT project_must_not_be_an_asterisk CHECK (project <> '*'),
    media_mode TEXT NOT NULL DEFAULT 'routed'
        CONSTRAINT media_mode_must_be_routed_or_relayed CHECK (media_mode IN ('routed', 'relayed')),
    archive_mode TEXT NOT NULL DEFAULT 'manual'
        CONSTRAINT archive_mode_must_be_manual_or_always CHECK (archive_mode IN ('manual', 'always')),
    archive_name TEXT
        CONSTRAINT archive_name_must_be_text_of_1_to_80_characters
            CHECK (archive_name IS NULL OR (typeof(archive_name) = 'text' AND length(archive_name) BETWEEN 1 AND 80
                                            AND instr(CAST(archive_name AS BLOB), x'00') = 0)),
    archive_resolution TEXT
        CONSTRAINT archive_resolution_must_be_a_known_size
            CHECK (archive_resolution IS NULL OR archive_resolution IN
                   ('640x480', '480x640', '1280x720', '720x1280', '1920x1080', '1080x1920')),
    location TEXT
        CONSTRAINT location_must_be_an_ipv4_address
            CHECK (location IS NULL OR (typeof(location) = 'text' AND length(location) BETWEEN 7 AND 15
                                        AND location GLOB '[0-9]*.[0-9]*.[0-9]*.[0-9]*'
                                        AND location NOT GLOB '*[^0-9.]*'
                                        AND location NOT GLOB '*.*.*.*.*')),
    e2ee INTEGER NOT NULL DEFAULT 0 CONSTRAINT e2ee_must_be_0_or_1 CHECK (typeof(e2ee) = 'integer' AND e2ee IN (0, 1)),
    session_id TEXT -- an existing session to use, instead of a new one
        CONSTRAINT session_id_must_be_text_of_1_to_255_bytes
            CHECK (session_id IS NULL OR (typeof(session_id) = 'text'
                                          AND length(CAST(session_id AS BLOB)) BETWEEN 1 AND 255))
        CONSTRAINT session_id_must_be_printable_ascii_without_spaces
            CHECK (session_id IS NULL OR (session_id NOT GLOB '*[^!-~]*' AND instr(CAST(session_id AS BLOB), x'00') = 0)),
    early_join INTEGER -- NULL: the policy's
        CONSTRAINT early_join_must_be_0_to_2592000_seconds
            CHECK (early_join IS NULL OR (typeof(early_join) = 'integer' AND early_join BETWEEN 0 AND 2592000)),
    grace INTEGER -- NULL: the policy's
        CONSTRAINT grace_must_be_0_to_2592000_seconds
            CHECK (grace IS NULL OR (typeof(grace) = 'integer' AND grace BETWEEN 0 AND 2592000)),
    CONSTRAINT ends_at_must_be_after_starts_at CHECK (ends_at > starts_at),
    CONSTRAINT archive_mode_always_needs_media_mode_routed CHECK (archive_mode = 'manual' OR media_mode = 'routed'),
    CONSTRAINT archive_name_needs_archive_mode_always CHECK (archive_name IS NULL OR archive_mode = 'always'),
    CONSTRAINT archive_resolution_needs_archive_mode_always
        CHECK (archive_resolution IS NULL OR archive_mode = 'always'),
    CONSTRAINT e2ee_needs_media_mode_routed_and_archive_mode_manual
        CHECK (e2ee = 0 OR (media_mode = 'routed' AND archive_mode = 'manual'))
);
INSERT INTO meeting VALUES('live-1','due',1795787542,1795791202,'scheduled','default','routed','manual',NULL,NULL,NULL,0,NULL,120,NULL);
INSERT INTO meeting VALUES('live-2','Now',1795787542,1795791202,'scheduled','default','routed','manual',NULL,NULL,NULL,0,NULL,120,NULL);
INSERT INTO meeting VALUES('live-3','Now',1795787542,1795791202,'scheduled','default','routed','manual',NULL,NULL,NULL,0,NULL,120,NULL);
INSERT INTO meeting VALUES('later','In a month',1798379603,1798383203,'scheduled','default','routed','manual',NULL,NULL,NULL,0,NULL,NULL,NULL);
INSERT INTO meeting VALUES('cancelled','',1795787663,1795791203,'cancelled','default','routed','manual',NULL,NULL,NULL,0,NULL,NULL,NULL);
INSERT INTO meeting VALUES('over','',1795780403,1795784003,'scheduled','default','routed','manual',NULL,NULL,NULL,0,NULL,NULL,NULL);
INSERT INTO meeting VALUES('unknown','',1795787603,1795787663,'scheduled','nobody','routed','manual',NULL,NULL,NULL,0,NULL,NULL,NULL);
CREATE TABLE participant (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    meeting_id TEXT NOT NULL
        CONSTRAINT meeting_id_must_be_bound_as_text_not_as_a_float
            CHECK (NOT ((meeting_id GLOB '*[0-9].0' OR meeting_id GLOB '*[0-9]e[+-][0-9]*')
                        AND CAST(CAST(meeting_id AS REAL) AS TEXT) = CAST(meeting_id AS TEXT)))
        CONSTRAINT meeting_id_must_be_text_of_1_to_255_bytes
            CHECK (typeof(meeting_id) IN ('text', 'integer') AND length(CAST(meeting_id AS BLOB)) BETWEEN 1 AND 255)
        CONSTRAINT meeting_id_must_not_contain_nul CHECK (instr(CAST(meeting_id AS BLOB), x'00') = 0),
    participant_id TEXT NOT NULL
        CONSTRAINT participant_id_must_be_bound_as_text_not_as_a_float
            CHECK (NOT ((participant_id GLOB '*[0-9].0' OR participant_id GLOB '*[0-9]e[+-][0-9]*')
                        AND CAST(CAST(participant_id AS REAL) AS TEXT) = CAST(participant_id AS TEXT)))
        CONSTRAINT participant_id_must_be_text_of_1_to_255_bytes
            CHECK (typeof(participant_id) IN ('text', 'integer') AND length(CAST(participant_id AS BLOB)) BETWEEN 1 AND 255)
        CONSTRAINT participant_id_must_not_contain_nul CHECK (instr(CAST(participant_id AS BLOB), x'00') = 0),
    display_name TEXT
        CONSTRAINT display_name_must_be_text_without_nul
            CHECK (display_name IS NULL
                   OR (typeof(display_name) = 'text' AND instr(CAST(display_name AS BLOB), x'00') = 0)),
    -- No default: a REPLACE that forgets the role must fail, not promote.
    role TEXT NOT NULL
        CONSTRAINT role_must_be_subscriber_publisher_publisheronly_or_moderator
            CHECK (role IN ('subscriber', 'publisher', 'publisheronly', 'moderator')),
    connection_data TEXT
        CONSTRAINT connection_data_must_be_text_of_at_most_1000_bytes
            CHECK (connection_data IS NULL
                   OR (typeof(connection_data) = 'text' AND length(CAST(connection_data AS BLOB)) <= 1000))
        CONSTRAINT connection_data_must_not_contain_nul
            CHECK (connection_data IS NULL OR instr(CAST(connection_data AS BLOB), x'00') = 0),
    layout_classes TEXT
        CONSTRAINT layout_classes_must_be_names_joined_by_single_spaces
            CHECK (layout_classes IS NULL
                   OR (typeof(layout_classes) = 'text' AND layout_classes NOT GLOB '*[^A-Za-z0-9_ -]*'
                       AND instr(CAST(layout_classes AS BLOB), x'00') = 0
                       AND layout_classes NOT GLOB ' *' AND layout_classes NOT GLOB '* '
                       AND instr(layout_classes, '  ') = 0))
        CONSTRAINT layout_classes_must_be_at_most_1000_bytes
            CHECK (layout_classes IS NULL OR length(CAST(layout_classes AS BLOB)) <= 1000)
);
INSERT INTO participant VALUES(1,'cancelled','ann',NULL,'moderator','a=1',NULL);
INSERT INTO participant VALUES(2,'later','ann',NULL,'moderator','a=1',NULL);
INSERT INTO participant VALUES(3,'live-1','ann',NULL,'moderator','a=1',NULL);
INSERT INTO participant VALUES(4,'live-2','ann',NULL,'moderator','a=1',NULL);
INSERT INTO participant VALUES(5,'live-3','ann',NULL,'moderator','a=1',NULL);
INSERT INTO participant VALUES(6,'over','ann',NULL,'moderator','a=1',NULL);
INSERT INTO participant VALUES(7,'unknown','ann',NULL,'moderator','a=1',NULL);
INSERT INTO participant VALUES(8,'cancelled','bob','Bob','publisher',NULL,NULL);
INSERT INTO participant VALUES(9,'later','bob','Bob','publisher',NULL,NULL);
INSERT INTO participant VALUES(10,'live-1','bob','Bob','subscriber',NULL,NULL);
INSERT INTO participant VALUES(11,'live-2','bob','Bob','publisher',NULL,NULL);
INSERT INTO participant VALUES(13,'over','bob','Bob','publisher',NULL,NULL);
INSERT INTO participant VALUES(14,'unknown','bob','Bob','publisher',NULL,NULL);
CREATE TABLE block (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    meeting_id TEXT NOT NULL
        CONSTRAINT meeting_id_must_be_bound_as_text_not_as_a_float
            CHECK (NOT ((meeting_id GLOB '*[0-9].0' OR meeting_id GLOB '*[0-9]e[+-][0-9]*')
                        AND CAST(CAST(meeting_id AS REAL) AS TEXT) = CAST(meeting_id AS TEXT)))
        CONSTRAINT meeting_id_must_be_text_of_1_to_255_bytes
            CHECK (typeof(meeting_id) IN ('text', 'integer') AND length(CAST(meeting_id AS BLOB)) BETWEEN 1 AND 255)
        CONSTRAINT meeting_id_must_not_contain_nul CHECK (instr(CAST(meeting_id AS BLOB), x'00') = 0),
    participant_id TEXT NOT NULL
        CONSTRAINT participant_id_must_be_bound_as_text_not_as_a_float
            CHECK (NOT ((participant_id GLOB '*[0-9].0' OR participant_id GLOB '*[0-9]e[+-][0-9]*')
                        AND CAST(CAST(participant_id AS REAL) AS TEXT) = CAST(participant_id AS TEXT)))
        CONSTRAINT participant_id_must_be_text_of_1_to_255_bytes
            CHECK (typeof(participant_id) IN ('text', 'integer') AND length(CAST(participant_id AS BLOB)) BETWEEN 1 AND 255)
        CONSTRAINT participant_id_must_not_contain_nul CHECK (instr(CAST(participant_id AS BLOB), x'00') = 0),
    reason TEXT NOT NULL DEFAULT ''
        CONSTRAINT reason_must_be_text_without_nul
            CHECK (typeof(reason) = 'text' AND instr(CAST(reason AS BLOB), x'00') = 0),
    blocked_at INTEGER NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INTEGER))
        CONSTRAINT blocked_at_must_be_unix_seconds
            CHECK (typeof(blocked_at) = 'integer' AND blocked_at BETWEEN 1000000000 AND 99999999999)
);
INSERT INTO block VALUES(1,'live-2','bob','out',1795787603);
CREATE TABLE request (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    action TEXT NOT NULL
        CONSTRAINT action_must_be_rotate_replace_session_or_retry
            CHECK (action IN ('rotate', 'replace_session', 'retry')),
    meeting_id TEXT
        CONSTRAINT meeting_id_must_be_bound_as_text_not_as_a_float
            CHECK (meeting_id IS NULL
                   OR NOT ((meeting_id GLOB '*[0-9].0' OR meeting_id GLOB '*[0-9]e[+-][0-9]*')
                           AND CAST(CAST(meeting_id AS REAL) AS TEXT) = CAST(meeting_id AS TEXT)))
        CONSTRAINT meeting_id_must_be_text_of_1_to_255_bytes
            CHECK (meeting_id IS NULL OR (typeof(meeting_id) IN ('text', 'integer')
                                          AND length(CAST(meeting_id AS BLOB)) BETWEEN 1 AND 255))
        CONSTRAINT meeting_id_must_not_contain_nul
            CHECK (meeting_id IS NULL OR instr(CAST(meeting_id AS BLOB), x'00') = 0),
    project TEXT
        CONSTRAINT project_must_be_text_of_1_to_64_bytes
            CHECK (project IS NULL OR (typeof(project) = 'text' AND length(CAST(project AS BLOB)) BETWEEN 1 AND 64
                                       AND instr(CAST(project AS BLOB), x'00') = 0)),
    requested_by TEXT NOT NULL DEFAULT ''
        CONSTRAINT requested_by_must_be_text_of_at_most_255_bytes
            CHECK (typeof(requested_by) IN ('text', 'integer') AND length(CAST(requested_by AS BLOB)) <= 255
                   AND instr(CAST(requested_by AS BLOB), x'00') = 0),
    requested_at INTEGER NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INTEGER))
        CONSTRAINT requested_at_must_be_unix_seconds
            CHECK (typeof(requested_at) = 'integer' AND requested_at BETWEEN 1000000000 AND 99999999999),
    CONSTRAINT request_must_name_a_meeting_or_a_project CHECK ((meeting_id IS NULL) + (project IS NULL) = 1)
);
INSERT INTO request VALUES(1,'replace_session','live-3',NULL,'',1795787604);
INSERT INTO request VALUES(2,'rotate','nowhere',NULL,'',1795787604);
INSERT INTO request VALUES(3,'rotate',NULL,'default','',1795787604);
INSERT INTO request VALUES(4,'retry',NULL,'*','',1795787605);
CREATE TABLE agenda (
    meeting_no INTEGER PRIMARY KEY AUTOINCREMENT,
    meeting_id TEXT NOT NULL UNIQUE,
    starts_at INTEGER,
    day INTEGER, -- of starts_at
    opens INTEGER, -- the earliest door
    closes INTEGER,
    due_at INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    failed_inputs INTEGER NOT NULL DEFAULT 0, -- what the failed attempts were for
    session_no INTEGER,
    staged_no INTEGER,
    generation INTEGER NOT NULL DEFAULT 0,
    renew_session INTEGER NOT NULL DEFAULT 0,
    marked_by INTEGER, -- the last work for many meetings that marked it before the others
    last_session_no INTEGER,
    last_history_no INTEGER,
    settled_at INTEGER NOT NULL DEFAULT 0,
    gone_at INTEGER,
    edited_early INTEGER NOT NULL DEFAULT 0,
    policy_hash INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'pending',
    reason TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT '',
    ready_at INTEGER,
    seq INTEGER -- none before anything was published
);
INSERT INTO agenda VALUES(1,'live-1',1795787542,20784,1795787422,1795792102,0,0,0,0,1,NULL,3,0,3,1,16,1795787605,NULL,0,1437466603783191821,'ready','','',1795787603,1795787605000000);
INSERT INTO agenda VALUES(2,'live-2',1795787542,20784,1795787422,1795792102,1795792102,0,0,0,2,NULL,3,0,3,2,17,1795787605,NULL,0,1437466603783191821,'ready','','',1795787603,1795787605000001);
INSERT INTO agenda VALUES(3,'live-3',1795787542,20784,1795787422,1795792102,1795792102,0,0,0,5,NULL,3,0,3,5,19,1795787605,NULL,0,1437466603783191821,'ready','','',1795787603,1795787605000002);
INSERT INTO agenda VALUES(4,'later',1798379603,20814,1798378703,1798384103,1798280625,0,0,0,NULL,NULL,3,0,NULL,NULL,15,1795787605,NULL,0,1437466603783191821,'waiting','not_yet','a session is wanted from 2026-12-26T10:23:45Z',NULL,1795787603000006);
INSERT INTO agenda VALUES(5,'cancelled',1795787663,20784,1795786763,1795792103,1798384103,0,0,0,NULL,NULL,3,0,3,4,20,1795787605,NULL,0,1437466603783191821,'cancelled','cancelled','the platform cancelled the meeting',NULL,1795787605000003);
INSERT INTO agenda VALUES(6,'over',1795780403,20784,1795779503,1795784903,1798376903,0,0,0,NULL,NULL,0,0,NULL,NULL,1,1795787603,NULL,0,1437466603783191821,'ended','','the meeting closed at 2026-11-27T13:08:23Z',NULL,1795787603000000);
INSERT INTO agenda VALUES(7,'unknown',1795787603,20784,1795786703,1795788563,1795788563,0,0,0,NULL,NULL,0,0,NULL,NULL,11,1795787605,NULL,0,0,'failed','unknown_project','the configuration has no project "nobody"; add it under projects, or correct the meeting''s project',NULL,1795787603000004);
CREATE TABLE session (
    session_no INTEGER PRIMARY KEY AUTOINCREMENT,
    meeting_no INTEGER NOT NULL,
    session_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    project TEXT NOT NULL,
    project_key TEXT NOT NULL,
    options TEXT NOT NULL, -- what the session was created with, as one comparable text
    created_at INTEGER NOT NULL,
    previous_no INTEGER, -- the meeting's session before
    disconnect INTEGER NOT NULL DEFAULT 0, -- 1: whoever is in it is to be thrown out
    adopted INTEGER NOT NULL DEFAULT 0, -- 1: the platform's own (meeting.session_id); several meetings may share it
    published_at INTEGER, -- NULL: nobody was ever given a token of it
    has_past INTEGER NOT NULL DEFAULT 0, -- 1: there are rows of it in token_past
    mac BLOB -- of the row, with a key that only usher has
);
INSERT INTO session VALUES(1,1,'1_MX4xMDAwMDB-fjE3OTU3ODc2MDMwMDB-QUFBQlZBTzJvNkFkemhreXUzUXh2ZklzbmpQdX5-fg','sandbox','default','100000','media=routed archive=manual e2ee=0',1795787603,NULL,0,0,1795787603,1,X'b983fe2624ceb57f536b45ba706d8a27');
INSERT INTO session VALUES(2,2,'1_MX4xMDAwMDB-fjE3OTU3ODc2MDMwMDB-QUFBQ0JSU3gvaERRbUJuUDNQS2VkQVBEcEwveH5-fg','sandbox','default','100000','media=routed archive=manual e2ee=0',1795787603,NULL,0,0,1795787603,1,X'66ca41e8ffeab2e0982670e543a3322b');
INSERT INTO session VALUES(3,3,'1_MX4xMDAwMDB-fjE3OTU3ODc2MDMwMDB-QUFBRDZVZVMveGFLaWdLcGx2SkJIU1NLWmtBVn5-fg','sandbox','default','100000','media=routed archive=manual e2ee=0',1795787603,NULL,0,0,1795787603,1,X'b633b92561dea5b96d6b369edc716a28');
INSERT INTO session VALUES(4,5,'1_MX4xMDAwMDB-fjE3OTU3ODc2MDMwMDB-QUFBRVJOYkxmbXlWQWF1eExjVGFKUW40eUVuWH5-fg','sandbox','default','100000','media=routed archive=manual e2ee=0',1795787603,NULL,0,0,1795787603,1,X'f5f83e11d0facf449633648cd56a34cf');
INSERT INTO session VALUES(5,3,'1_MX4xMDAwMDB-fjE3OTU3ODc2MDUwMDB-QUFBQm9jNUdHRTB2ZnlSejBLL2RteFdCRithYX5-fg','sandbox','default','100000','media=routed archive=manual e2ee=0',1795787605,3,0,0,1795787605,0,X'c566dbe94d3ec426da1f7483fe86f348');
CREATE TABLE token (
    session_no INTEGER NOT NULL,
    participant_id TEXT NOT NULL,
    token TEXT NOT NULL,
    role INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    fingerprint INTEGER NOT NULL,
    PRIMARY KEY (session_no, participant_id)
) WITHOUT ROWID;
INSERT INTO token VALUES(1,'ann','eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiIxMDAwMDAiLCJpc3QiOiJwcm9qZWN0IiwiaWF0IjoxNzk1Nzg3NTk1LCJleHAiOjE3OTU3OTIxMDIsInNlc3Npb25faWQiOiIxX01YNHhNREF3TURCLWZqRTNPVFUzT0RjMk1ETXdNREItUVVGQlFsWkJUekp2TmtGa2VtaHJlWFV6VVhoMlprbHpibXBRZFg1LWZnIiwiY3JlYXRlX3RpbWUiOjE3OTU3ODc1OTUsIm5vbmNlIjo0NDQwODg3NDA2NDQ2MTQzLCJyb2xlIjoibW9kZXJhdG9yIiwiZXhwaXJlX3RpbWUiOjE3OTU3OTIxMDIsImNvbm5lY3Rpb25fZGF0YSI6ImE9MSIsImluaXRpYWxfbGF5b3V0X2NsYXNzX2xpc3QiOiIiLCJzY29wZSI6InNlc3Npb24uY29ubmVjdCJ9.GMyUnWiVJYR4QATk6j3MBs2b5iQuGckiF5C_RpP_hUY',4,9,1795787595,1795792102,3,'30eb1ccfc72bc6c0',-1524293991067386737);
INSERT INTO token VALUES(1,'bob','eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiIxMDAwMDAiLCJpc3QiOiJwcm9qZWN0IiwiaWF0IjoxNzk1Nzg3NTk1LCJleHAiOjE3OTU3OTIxMDIsInNlc3Npb25faWQiOiIxX01YNHhNREF3TURCLWZqRTNPVFUzT0RjMk1ETXdNREItUVVGQlFsWkJUekp2TmtGa2VtaHJlWFV6VVhoMlprbHpibXBRZFg1LWZnIiwiY3JlYXRlX3RpbWUiOjE3OTU3ODc1OTUsIm5vbmNlIjo4ODA3NzI1MDMzNDA4MjI5LCJyb2xlIjoic3Vic2NyaWJlciIsImV4cGlyZV90aW1lIjoxNzk1NzkyMTAyLCJpbml0aWFsX2xheW91dF9jbGFzc19saXN0IjoiIiwic2NvcGUiOiJzZXNzaW9uLmNvbm5lY3QifQ.2I0ayMA4L23iahMo-gqkj3TlyRSS4RN8OibFK_DEM5w',1,3,1795787595,1795792102,3,'30eb1ccfc72bc6c0',-954230970083678226);
INSERT INTO token VALUES(2,'ann','eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiIxMDAwMDAiLCJpc3QiOiJwcm9qZWN0IiwiaWF0IjoxNzk1Nzg3NTk1LCJleHAiOjE3OTU3OTIxMDIsInNlc3Npb25faWQiOiIxX01YNHhNREF3TURCLWZqRTNPVFUzT0RjMk1ETXdNREItUVVGQlEwSlNVM2d2YUVSUmJVSnVVRE5RUzJWa1FWQkVjRXd2ZUg1LWZnIiwiY3JlYXRlX3RpbWUiOjE3OTU3ODc1OTUsIm5vbmNlIjo1MjMyODA2NDAwNzI3OTA3LCJyb2xlIjoibW9kZXJhdG9yIiwiZXhwaXJlX3RpbWUiOjE3OTU3OTIxMDIsImNvbm5lY3Rpb25fZGF0YSI6ImE9MSIsImluaXRpYWxfbGF5b3V0X2NsYXNzX2xpc3QiOiIiLCJzY29wZSI6InNlc3Npb24uY29ubmVjdCJ9.xNhpivVVL2AiwastMmGhFQK9mG9qWyZedZcIuHvokxQ',4,9,1795787595,1795792102,3,'30eb1ccfc72bc6c0',2275704705466917939);
INSERT INTO token VALUES(5,'ann','eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiIxMDAwMDAiLCJpc3QiOiJwcm9qZWN0IiwiaWF0IjoxNzk1Nzg3NTk1LCJleHAiOjE3OTU3OTIxMDIsInNlc3Npb25faWQiOiIxX01YNHhNREF3TURCLWZqRTNPVFUzT0RjMk1EVXdNREItUVVGQlFtOWpOVWRIUlRCMlpubFNlakJMTDJSdGVGZENSaXRoWVg1LWZnIiwiY3JlYXRlX3RpbWUiOjE3OTU3ODc1OTUsIm5vbmNlIjozMDM5MTI2MDMzOTYxMDA0LCJyb2xlIjoibW9kZXJhdG9yIiwiZXhwaXJlX3RpbWUiOjE3OTU3OTIxMDIsImNvbm5lY3Rpb25fZGF0YSI6ImE9MSIsImluaXRpYWxfbGF5b3V0X2NsYXNzX2xpc3QiOiIiLCJzY29wZSI6InNlc3Npb24uY29ubmVjdCJ9.FoVf9np8foUudHHhVeZ_u21SKAGl90QbzznSWJi1FPY',4,2,1795787595,1795792102,3,'30eb1ccfc72bc6c0',6095516014541857768);
CREATE TABLE token_past (
    session_no INTEGER NOT NULL,
    participant_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    role INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    withdrawn_at INTEGER NOT NULL,
    withdrawn_reason INTEGER NOT NULL,
    PRIMARY KEY (session_no, participant_id, seq)
) WITHOUT ROWID;
INSERT INTO token_past VALUES(1,'ann',1795787605000000,4,2,1795787593,1795792102,1795787605,9);
INSERT INTO token_past VALUES(1,'bob',1795787605000000,2,2,1795787593,1795792102,1795787605,3);
INSERT INTO token_past VALUES(2,'ann',1795787605000001,4,2,1795787593,1795792102,1795787605,9);
INSERT INTO token_past VALUES(3,'ann',1795787605000004,4,2,1795787593,1795792102,1795787605,25);
INSERT INTO token_past VALUES(3,'bob',1795787605000004,2,2,1795787593,1795792102,1795787605,25);
INSERT INTO token_past VALUES(4,'ann',1795787605000003,4,2,1795787593,1795792103,1795787605,22);
INSERT INTO token_past VALUES(4,'bob',1795787605000003,2,2,1795787593,1795792103,1795787605,22);
CREATE TABLE session_attempt (
    attempt_no INTEGER PRIMARY KEY AUTOINCREMENT,
    meeting_no INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    outcome TEXT NOT NULL DEFAULT 'started' -- created, failed, abandoned; unsent when the daemon stopped before
);
CREATE TABLE project_status (
    name TEXT NOT NULL PRIMARY KEY,
    provider TEXT NOT NULL,
    project_key TEXT NOT NULL,
    key_id TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '', -- why the provider is not asked at present; empty: it is
    detail TEXT NOT NULL DEFAULT '',
    next_at INTEGER, -- the next probe
    clock_ahead INTEGER, -- seconds by which this machine's clock is ahead of the provider's, as last seen
    changed_at INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO project_status VALUES('default','sandbox','100000','30eb1ccfc72bc6c0','','',NULL,NULL,1795787604);
CREATE TABLE removal (
    meeting_id TEXT NOT NULL,
    participant_id TEXT NOT NULL,
    PRIMARY KEY (meeting_id, participant_id)
) WITHOUT ROWID;
CREATE TABLE participant_problem (
    meeting_no INTEGER NOT NULL,
    participant_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (meeting_no, participant_id)
) WITHOUT ROWID;
CREATE TABLE request_result (
    request_no INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id INTEGER UNIQUE,
    action TEXT,
    meeting_id TEXT,
    project TEXT,
    requested_at INTEGER,
    state TEXT NOT NULL DEFAULT 'filed', -- running, done, refused, aborted
    work_no INTEGER,
    began_at INTEGER,
    pass INTEGER NOT NULL DEFAULT 0,
    cursor_no INTEGER,
    meetings INTEGER NOT NULL DEFAULT 0,
    served INTEGER NOT NULL DEFAULT 0,
    renewed INTEGER NOT NULL DEFAULT 0, -- meetings with new tokens or a new session
    sessions INTEGER NOT NULL DEFAULT 0,
    tokens INTEGER NOT NULL DEFAULT 0,
    detail TEXT NOT NULL DEFAULT '',
    done_at INTEGER
);
INSERT INTO request_result VALUES(1,1,'replace_session','live-3',NULL,1795787604,'done',1,1795787604,0,NULL,1,1,1,1,1,'1 meeting looked at, 1 session replaced, 1 token signed',1795787605);
INSERT INTO request_result VALUES(2,2,'rotate','nowhere',NULL,1795787604,'refused',2,1795787604,0,NULL,0,0,0,0,0,'there is no meeting "nowhere"',1795787604);
INSERT INTO request_result VALUES(3,3,'rotate',NULL,'default',1795787604,'done',3,1795787605,1,NULL,5,5,3,0,4,'5 meetings looked at, 0 sessions replaced, 4 tokens signed',1795787605);
INSERT INTO request_result VALUES(4,4,'retry',NULL,'*',1795787605,'filed',NULL,NULL,0,NULL,0,0,0,0,0,'',NULL);
CREATE TABLE request_meeting (
    meeting_no INTEGER NOT NULL,
    work_no INTEGER NOT NULL,
    tokens INTEGER NOT NULL DEFAULT 0, -- that were signed since
    PRIMARY KEY (meeting_no, work_no)
) WITHOUT ROWID;
CREATE TABLE daemon (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL DEFAULT 0,
    who TEXT NOT NULL DEFAULT '',
    since INTEGER NOT NULL DEFAULT 0,
    heartbeat INTEGER NOT NULL DEFAULT 0, -- when usher last looked; each minute at least
    certain_at INTEGER NOT NULL DEFAULT 0, -- an instant that had certainly come, whatever the clock showed since
    clock_at INTEGER NOT NULL DEFAULT 0, -- the clock, when a start first saw it set as it is,
    clock_steady INTEGER NOT NULL DEFAULT 0, -- and the steady clock at that instant
    seq INTEGER NOT NULL DEFAULT 0,
    work_no INTEGER NOT NULL DEFAULT 0, -- the last one that a request's work was given
    database_id TEXT NOT NULL DEFAULT '', -- of this file and its copies
    restores INTEGER NOT NULL DEFAULT 0, -- how often older rows came back
    restore_cursor INTEGER, -- the last meeting_no that has a new seq since the last restore; NULL: all have
    damage TEXT NOT NULL DEFAULT '' -- what of this schema was lost or changed, one thing a line
);
INSERT INTO daemon VALUES(1,2,'pid 23695 on host, started 2026-11-27T13:53:24Z',1795787604,1795787605,1795787604,1795784003,13656,1795787605000004,3,'43cea1be0bdc06ec48af2bd693d5f994',0,NULL,'');
CREATE TABLE token_reason (code INTEGER PRIMARY KEY, reason TEXT NOT NULL);
INSERT INTO token_reason VALUES(2,'issued');
INSERT INTO token_reason VALUES(3,'role_changed');
INSERT INTO token_reason VALUES(4,'details_changed');
INSERT INTO token_reason VALUES(5,'schedule_changed');
INSERT INTO token_reason VALUES(6,'policy_changed');
INSERT INTO token_reason VALUES(7,'key_changed');
INSERT INTO token_reason VALUES(8,'rotated');
INSERT INTO token_reason VALUES(9,'requested');
INSERT INTO token_reason VALUES(10,'clock_changed');
INSERT INTO token_reason VALUES(20,'removed');
INSERT INTO token_reason VALUES(21,'blocked');
INSERT INTO token_reason VALUES(22,'cancelled');
INSERT INTO token_reason VALUES(23,'deleted');
INSERT INTO token_reason VALUES(24,'ended');
INSERT INTO token_reason VALUES(25,'session_replaced');
INSERT INTO token_reason VALUES(26,'not_served');
INSERT INTO token_reason VALUES(27,'not_yet');
CREATE TABLE door (
    role TEXT NOT NULL PRIMARY KEY,
    code INTEGER NOT NULL, -- as in token.role
    early_join INTEGER NOT NULL, -- seconds before the meeting starts
    hidden INTEGER NOT NULL -- 1: a credential is not shown before its holder's door
) WITHOUT ROWID;
INSERT INTO door VALUES('moderator',4,900,0);
INSERT INTO door VALUES('publisher',2,900,0);
INSERT INTO door VALUES('publisheronly',3,900,0);
INSERT INTO door VALUES('subscriber',1,900,0);
CREATE TABLE history (
    history_no INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    meeting_no INTEGER NOT NULL,
    event TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '',
    previous_no INTEGER -- the meeting's event before
);
INSERT INTO history VALUES(1,1795787603,6,'ended','the meeting closed at 2026-11-27T13:08:23Z',NULL);
INSERT INTO history VALUES(2,1795787603,1,'session_published','first',NULL);
INSERT INTO history VALUES(3,1795787603,1,'ready','',2);
INSERT INTO history VALUES(4,1795787603,1,'tokens_signed','issued 2',3);
INSERT INTO history VALUES(5,1795787603,2,'session_published','first',NULL);
INSERT INTO history VALUES(6,1795787603,2,'ready','',5);
INSERT INTO history VALUES(7,1795787603,2,'tokens_signed','issued 1',6);
INSERT INTO history VALUES(8,1795787603,3,'session_published','first',NULL);
INSERT INTO history VALUES(9,1795787603,3,'ready','',8);
INSERT INTO history VALUES(10,1795787603,3,'tokens_signed','issued 2',9);
INSERT INTO history VALUES(11,1795787603,7,'failed','unknown_project',NULL);
INSERT INTO history VALUES(12,1795787603,5,'session_published','first',NULL);
INSERT INTO history VALUES(13,1795787603,5,'ready','',12);
INSERT INTO history VALUES(14,1795787603,5,'tokens_signed','issued 2',13);
INSERT INTO history VALUES(15,1795787603,4,'waiting','not_yet',NULL);
INSERT INTO history VALUES(16,1795787605,1,'tokens_signed','role_changed 1, requested 1',4);
INSERT INTO history VALUES(17,1795787605,2,'tokens_signed','requested 1',7);
INSERT INTO history VALUES(18,1795787605,3,'session_published','requested',10);
INSERT INTO history VALUES(19,1795787605,3,'tokens_signed','issued 1',18);
INSERT INTO history VALUES(20,1795787605,5,'cancelled','cancelled',14);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('agenda',24);
INSERT INTO sqlite_sequence VALUES('participant',14);
INSERT INTO sqlite_sequence VALUES('block',1);
INSERT INTO sqlite_sequence VALUES('session',5);
INSERT INTO sqlite_sequence VALUES('request_result',4);
INSERT INTO sqlite_sequence VALUES('request',4);
CREATE UNIQUE INDEX participant_by_meeting ON participant (meeting_id, participant_id);
CREATE UNIQUE INDEX block_by_meeting ON block (meeting_id, participant_id);
CREATE INDEX agenda_by_need ON agenda (starts_at) WHERE due_at = 0;
CREATE INDEX agenda_by_day ON agenda (day, session_no) WHERE due_at = 0;
CREATE INDEX agenda_by_time ON agenda (due_at) WHERE due_at > 0;
CREATE INDEX agenda_by_seq ON agenda (seq) WHERE seq IS NOT NULL;
CREATE UNIQUE INDEX session_by_id ON session (session_id) WHERE adopted = 0;
CREATE INDEX session_with_past ON session (meeting_no) WHERE has_past = 1;
CREATE INDEX session_by_adopted_id ON session (session_id) WHERE adopted = 1;
CREATE INDEX session_to_disconnect ON session (session_no) WHERE disconnect = 1;
CREATE INDEX session_attempt_by_meeting ON session_attempt (meeting_no);
CREATE INDEX session_attempt_started ON session_attempt (attempt_no) WHERE outcome = 'started';
CREATE INDEX request_result_filed ON request_result (meeting_id, action, project) WHERE state = 'filed';
CREATE INDEX request_result_running ON request_result (work_no) WHERE state = 'running';
CREATE INDEX request_result_marking ON request_result (request_no) WHERE cursor_no IS NOT NULL;
CREATE TRIGGER usher_meeting_insert AFTER INSERT ON meeting BEGIN
    INSERT INTO agenda (meeting_id, starts_at, day)
    SELECT NEW.id, NEW.starts_at, NEW.starts_at / 86400 WHERE length(CAST(NEW.id AS BLOB)) <= 1000
    ON CONFLICT (meeting_id) DO UPDATE SET due_at = 0, starts_at = excluded.starts_at, day = excluded.day;
    UPDATE agenda SET edited_early = NOT EXISTS (
        SELECT 1 FROM session s WHERE s.session_no = agenda.session_no AND s.project = NEW.project
           AND CASE WHEN s.adopted = 1 THEN s.session_id IS NEW.session_id
                    ELSE NEW.session_id IS NULL AND s.options =
                         'media=' || NEW.media_mode || ' archive=' || NEW.archive_mode || ' e2ee=' || (NEW.e2ee <> 0)
                         || COALESCE(' resolution=' || NULLIF(NEW.archive_resolution, ''), '')
                         || COALESCE(' location=' || NULLIF(NEW.location, ''), '')
                         || COALESCE(' name=' || NULLIF(NEW.archive_name, ''), '') END)
     WHERE meeting_id = NEW.id AND session_no IS NOT NULL
       AND NEW.starts_at - COALESCE(NEW.early_join, (SELECT max(early_join) FROM door))
           > CAST(strftime('%s', 'now') AS INTEGER);
    UPDATE agenda SET session_no = NULL, staged_no = NULL
     WHERE NEW.status = 'cancelled' AND meeting_id = NEW.id;
END;
CREATE TRIGGER usher_meeting_update AFTER UPDATE ON meeting BEGIN
    INSERT INTO agenda (meeting_id, starts_at, day)
    SELECT NEW.id, NEW.starts_at, NEW.starts_at / 86400 WHERE length(CAST(NEW.id AS BLOB)) <= 1000
    ON CONFLICT (meeting_id) DO UPDATE SET due_at = 0, starts_at = excluded.starts_at, day = excluded.day;
    UPDATE agenda SET edited_early = NOT EXISTS (
        SELECT 1 FROM session s WHERE s.session_no = agenda.session_no AND s.project = NEW.project
           AND CASE WHEN s.adopted = 1 THEN s.session_id IS NEW.session_id
                    ELSE NEW.session_id IS NULL AND s.options =
                         'media=' || NEW.media_mode || ' archive=' || NEW.archive_mode || ' e2ee=' || (NEW.e2ee <> 0)
                         || COALESCE(' resolution=' || NULLIF(NEW.archive_resolution, ''), '')
                         || COALESCE(' location=' || NULLIF(NEW.location, ''), '')
                         || COALESCE(' name=' || NULLIF(NEW.archive_name, ''), '') END)
     WHERE meeting_id = NEW.id AND session_no IS NOT NULL
       AND NEW.starts_at - COALESCE(NEW.early_join, (SELECT max(early_join) FROM door))
           > CAST(strftime('%s', 'now') AS INTEGER);
    UPDATE agenda SET session_no = NULL, staged_no = NULL
     WHERE NEW.status = 'cancelled' AND meeting_id = NEW.id;
    UPDATE agenda SET due_at = 0 WHERE OLD.id <> NEW.id AND meeting_id = OLD.id;
END;
CREATE TRIGGER usher_meeting_delete AFTER DELETE ON meeting BEGIN
    UPDATE agenda SET due_at = 0 WHERE meeting_id = OLD.id AND due_at <> 0;
END;
CREATE TRIGGER usher_participant_before_insert BEFORE INSERT ON participant BEGIN
    SELECT RAISE(ABORT, 'id_must_be_below_2_to_the_62') WHERE NEW.id >= 4611686018427387904;
    UPDATE agenda SET due_at = 0
     WHERE meeting_id = (SELECT meeting_id FROM participant WHERE id = NEW.id) AND due_at <> 0;
    DELETE FROM removal
     WHERE (meeting_id, participant_id) = (SELECT meeting_id, participant_id FROM participant WHERE id = NEW.id);
    INSERT INTO removal (meeting_id, participant_id)
    SELECT a.meeting_id, p.participant_id FROM participant p JOIN agenda a ON a.meeting_id = p.meeting_id
     WHERE p.id = NEW.id AND length(CAST(p.participant_id AS BLOB)) <= 1000
       AND (EXISTS (SELECT 1 FROM token t WHERE t.session_no = a.session_no AND t.participant_id = p.participant_id)
            OR EXISTS (SELECT 1 FROM token_past t
                        WHERE t.session_no = a.session_no AND t.participant_id = p.participant_id))
       AND COALESCE((SELECT m.starts_at - COALESCE(m.early_join, (SELECT max(early_join) FROM door)) FROM meeting m
                      WHERE m.id = a.meeting_id), a.opens) > CAST(strftime('%s', 'now') AS INTEGER)
    ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER usher_participant_before_update BEFORE UPDATE OF id ON participant WHEN NEW.id IS NOT OLD.id BEGIN
    SELECT RAISE(ABORT, 'id_must_not_change');
END;
CREATE TRIGGER usher_participant_insert AFTER INSERT ON participant BEGIN
    INSERT INTO agenda (meeting_id) SELECT NEW.meeting_id WHERE length(CAST(NEW.meeting_id AS BLOB)) <= 1000
    ON CONFLICT (meeting_id) DO UPDATE SET due_at = 0 WHERE due_at <> 0;
    DELETE FROM removal WHERE meeting_id = NEW.meeting_id AND participant_id = NEW.participant_id;
END;
CREATE TRIGGER usher_participant_update AFTER UPDATE ON participant BEGIN
    INSERT INTO agenda (meeting_id) SELECT NEW.meeting_id WHERE length(CAST(NEW.meeting_id AS BLOB)) <= 1000
    ON CONFLICT (meeting_id) DO UPDATE SET due_at = 0 WHERE due_at <> 0;
    UPDATE agenda SET due_at = 0 WHERE meeting_id = OLD.meeting_id AND due_at <> 0;
    DELETE FROM removal WHERE meeting_id = OLD.meeting_id AND participant_id = OLD.participant_id;
    INSERT INTO removal (meeting_id, participant_id)
    SELECT a.meeting_id, OLD.participant_id FROM agenda a
     WHERE a.meeting_id = OLD.meeting_id
       AND (OLD.meeting_id IS NOT NEW.meeting_id OR OLD.participant_id IS NOT NEW.participant_id)
       AND length(CAST(OLD.participant_id AS BLOB)) <= 1000
       AND (EXISTS (SELECT 1 FROM token t WHERE t.session_no = a.session_no AND t.participant_id = OLD.participant_id)
            OR EXISTS (SELECT 1 FROM token_past t
                        WHERE t.session_no = a.session_no AND t.participant_id = OLD.participant_id))
       AND COALESCE((SELECT m.starts_at - COALESCE(m.early_join, (SELECT max(early_join) FROM door)) FROM meeting m
                      WHERE m.id = a.meeting_id), a.opens) > CAST(strftime('%s', 'now') AS INTEGER)
    ON CONFLICT DO NOTHING;
    DELETE FROM removal WHERE meeting_id = NEW.meeting_id AND participant_id = NEW.participant_id;
END;
CREATE TRIGGER usher_participant_delete AFTER DELETE ON participant BEGIN
    UPDATE agenda SET due_at = 0 WHERE meeting_id = OLD.meeting_id AND due_at <> 0;
    DELETE FROM removal WHERE meeting_id = OLD.meeting_id AND participant_id = OLD.participant_id;
    INSERT INTO removal (meeting_id, participant_id)
    SELECT a.meeting_id, OLD.participant_id FROM agenda a
     WHERE a.meeting_id = OLD.meeting_id AND length(CAST(OLD.participant_id AS BLOB)) <= 1000
       AND (EXISTS (SELECT 1 FROM token t WHERE t.session_no = a.session_no AND t.participant_id = OLD.participant_id)
            OR EXISTS (SELECT 1 FROM token_past t
                        WHERE t.session_no = a.session_no AND t.participant_id = OLD.participant_id))
       AND COALESCE((SELECT m.starts_at - COALESCE(m.early_join, (SELECT max(early_join) FROM door)) FROM meeting m
                      WHERE m.id = a.meeting_id), a.opens) > CAST(strftime('%s', 'now') AS INTEGER)
    ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER usher_block_before_insert BEFORE INSERT ON block BEGIN
    SELECT RAISE(ABORT, 'id_must_be_below_2_to_the_62') WHERE NEW.id >= 4611686018427387904;
    UPDATE agenda SET due_at = 0 WHERE meeting_id = (SELECT meeting_id FROM block WHERE id = NEW.id) AND due_at <> 0;
END;
CREATE TRIGGER usher_block_before_update BEFORE UPDATE OF id ON block WHEN NEW.id IS NOT OLD.id BEGIN
    SELECT RAISE(ABORT, 'id_must_not_change');
END;
CREATE TRIGGER usher_block_insert AFTER INSERT ON block BEGIN
    UPDATE agenda SET due_at = 0 WHERE meeting_id = NEW.meeting_id AND due_at <> 0;
END;
CREATE TRIGGER usher_block_update AFTER UPDATE ON block BEGIN
    UPDATE agenda SET due_at = 0 WHERE meeting_id IN (OLD.meeting_id, NEW.meeting_id) AND due_at <> 0;
END;
CREATE TRIGGER usher_block_delete AFTER DELETE ON block BEGIN
    UPDATE agenda SET due_at = 0 WHERE meeting_id = OLD.meeting_id AND due_at <> 0;
END;
CREATE TRIGGER usher_request_before_insert BEFORE INSERT ON request WHEN NEW.id >= 4611686018427387904 BEGIN
    SELECT RAISE(ABORT, 'id_must_be_below_2_to_the_62');
END;
CREATE TRIGGER usher_request_before_update BEFORE UPDATE ON request
WHEN NEW.id IS NOT OLD.id OR NEW.action IS NOT OLD.action OR NEW.meeting_id IS NOT OLD.meeting_id
     OR NEW.project IS NOT OLD.project OR NEW.requested_at IS NOT OLD.requested_at BEGIN
    SELECT RAISE(ABORT, 'request_must_not_change_file_another_one');
END;
CREATE TRIGGER usher_request_insert AFTER INSERT ON request BEGIN
    DELETE FROM request_result WHERE request_id = NEW.id AND state <> 'running' AND cursor_no IS NULL;
    UPDATE request_result SET request_id = NULL, state = 'aborted', pass = 2, cursor_no = 0 WHERE request_id = NEW.id;
    INSERT INTO request_result (request_id, action, meeting_id, project, requested_at)
    VALUES (NEW.id, substr(NEW.action, 1, 64), substr(NEW.meeting_id, 1, 256), substr(NEW.project, 1, 256),
            CASE typeof(NEW.requested_at) WHEN 'integer' THEN NEW.requested_at END);
END;
CREATE TRIGGER usher_request_delete AFTER DELETE ON request BEGIN
    DELETE FROM request_result WHERE request_id = OLD.id AND state <> 'running' AND cursor_no IS NULL;
    UPDATE request_result SET request_id = NULL, state = 'aborted', pass = 2, cursor_no = 0 WHERE request_id = OLD.id;
END;
CREATE VIEW join_credential AS SELECT m.id AS meeting_id, p.participant_id AS participant_id, s.project AS project, s.project_key AS project_key, s.session_id AS session_id, t.token AS token, p.role AS role, t.issued_at AS issued_at, t.expires_at AS expires_at, m.starts_at - COALESCE(m.early_join, d.early_join) AS opens_at, a.closes AS closes_at FROM meeting m JOIN agenda a ON a.meeting_id = m.id JOIN session s ON s.session_no = a.session_no JOIN participant p ON p.meeting_id = m.id JOIN token t ON t.session_no = a.session_no AND t.participant_id = p.participant_id JOIN door d ON d.role = p.role WHERE m.status = 'scheduled' AND t.role = d.code AND t.expires_at > CAST(strftime('%s', 'now') AS INTEGER) AND (d.hidden = 0 OR m.starts_at - COALESCE(m.early_join, d.early_join) <= CAST(strftime('%s', 'now') AS INTEGER)) AND NOT EXISTS (SELECT 1 FROM block b WHERE b.meeting_id = p.meeting_id AND b.participant_id = p.participant_id);
CREATE VIEW meeting_status AS SELECT a.meeting_id AS meeting_id, CASE WHEN a.due_at <= CAST(strftime('%s', 'now') AS INTEGER) THEN 'pending' ELSE a.state END AS state, a.reason AS reason, a.detail AS detail, a.ready_at AS ready_at, NULLIF(max(a.next_at, COALESCE((SELECT p.next_at FROM meeting m JOIN project_status p ON p.name = m.project WHERE m.id = a.meeting_id AND a.state IN ('pending', 'failed')), 0)), 0) AS next_at, a.opens AS opens_at, a.closes AS closes_at, a.seq AS seq FROM agenda a;
CREATE VIEW participant_status AS SELECT p.meeting_id AS meeting_id, p.participant_id AS participant_id, p.role AS role, CASE WHEN m.id IS NULL THEN 'waiting' WHEN m.status <> 'scheduled' OR b.id IS NOT NULL THEN 'cancelled' WHEN a.closes <= CAST(strftime('%s', 'now') AS INTEGER) THEN 'ended' WHEN t.token IS NOT NULL AND t.role = d.code AND t.expires_at > CAST(strftime('%s', 'now') AS INTEGER) THEN CASE WHEN d.hidden = 0 OR m.starts_at - COALESCE(m.early_join, d.early_join) <= CAST(strftime('%s', 'now') AS INTEGER) THEN 'ready' ELSE 'waiting' END WHEN a.due_at <= CAST(strftime('%s', 'now') AS INTEGER) THEN 'pending' WHEN q.reason IS NOT NULL THEN 'failed' WHEN a.state = 'ready' THEN 'pending' ELSE a.state END AS state, CASE WHEN m.id IS NULL THEN 'no_meeting' WHEN m.status <> 'scheduled' THEN 'cancelled' WHEN b.id IS NOT NULL THEN 'blocked' WHEN a.closes <= CAST(strftime('%s', 'now') AS INTEGER) THEN '' WHEN t.token IS NOT NULL AND t.role = d.code AND t.expires_at > CAST(strftime('%s', 'now') AS INTEGER) THEN CASE WHEN d.hidden = 0 OR m.starts_at - COALESCE(m.early_join, d.early_join) <= CAST(strftime('%s', 'now') AS INTEGER) THEN '' ELSE 'before_door' END WHEN a.due_at <= CAST(strftime('%s', 'now') AS INTEGER) THEN '' WHEN q.reason IS NOT NULL THEN q.reason ELSE a.reason END AS reason, CASE WHEN m.id IS NULL OR m.status <> 'scheduled' THEN '' WHEN b.id IS NOT NULL THEN b.reason WHEN a.closes <= CAST(strftime('%s', 'now') AS INTEGER) THEN '' WHEN q.reason IS NOT NULL THEN q.detail WHEN a.state = 'ready' THEN '' ELSE a.detail END AS detail, m.starts_at - COALESCE(m.early_join, d.early_join) AS opens_at, a.closes AS closes_at, t.expires_at AS expires_at FROM participant p LEFT JOIN meeting m ON m.id = p.meeting_id LEFT JOIN agenda a ON a.meeting_id = p.meeting_id LEFT JOIN door d ON d.role = p.role LEFT JOIN session s ON s.session_no = a.session_no LEFT JOIN token t ON t.session_no = s.session_no AND t.participant_id = p.participant_id LEFT JOIN participant_problem q ON q.meeting_no = a.meeting_no AND q.participant_id = CASE typeof(p.participant_id) WHEN 'text' THEN CAST(substr(CAST(p.participant_id AS BLOB), 1, 256) AS TEXT) ELSE substr(quote(p.participant_id), 1, 256) END LEFT JOIN block b ON b.meeting_id = p.meeting_id AND b.participant_id = p.participant_id;
CREATE VIEW usher_status AS SELECT 1 AS contract_version, who AS who, since AS since, heartbeat AS looked_at, seq AS seq, restores AS restores, damage AS damage FROM daemon WHERE id = 1;
CREATE VIEW credential_history AS SELECT a.meeting_id AS meeting_id, t.participant_id AS participant_id, s.project AS project, s.session_id AS session_id, d.role AS role, r.reason AS reason, t.issued_at AS issued_at, t.expires_at AS expires_at, NULL AS withdrawn_at, NULL AS withdrawn_reason FROM agenda a JOIN session s ON s.session_no = a.session_no JOIN token t ON t.session_no = s.session_no LEFT JOIN door d ON d.code = t.role LEFT JOIN token_reason r ON r.code = t.reason UNION ALL SELECT a.meeting_id AS meeting_id, t.participant_id AS participant_id, s.project AS project, s.session_id AS session_id, d.role AS role, r.reason AS reason, t.issued_at AS issued_at, t.expires_at AS expires_at, t.withdrawn_at AS withdrawn_at, w.reason AS withdrawn_reason FROM agenda a JOIN session s ON s.meeting_no = a.meeting_no AND s.has_past = 1 JOIN token_past t ON t.session_no = s.session_no LEFT JOIN door d ON d.code = t.role LEFT JOIN token_reason r ON r.code = t.reason LEFT JOIN token_reason w ON w.code = t.withdrawn_reason;
CREATE VIEW request_status AS SELECT r.id AS id, r.action AS action, r.meeting_id AS meeting_id, r.project AS project, r.requested_by AS requested_by, r.requested_at AS requested_at, q.state AS state, q.meetings AS meetings, q.served AS served, q.sessions AS sessions, q.tokens AS tokens, q.detail AS detail, q.done_at AS done_at FROM request r LEFT JOIN request_result q ON q.request_id = r.id;
COMMIT;
PRAGMA application_id=1970497650;
PRAGMA user_version=1;
