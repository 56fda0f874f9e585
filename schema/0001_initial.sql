-- The contract between platforms and usher, version 1.
--
-- Platforms write meeting, participant and request, and read join_credential and meeting_status; everything else is
-- usher's. A platform's own SQLite library runs these CHECKs, triggers and views, so nothing here is newer than 3.24.
-- All times are whole Unix seconds in UTC.

CREATE TABLE meeting (
    id TEXT NOT NULL PRIMARY KEY
        CONSTRAINT id_must_be_text_of_1_to_255_bytes
            CHECK (typeof(id) = 'text' AND length(CAST(id AS BLOB)) BETWEEN 1 AND 255)
        CONSTRAINT id_must_not_contain_nul CHECK (instr(CAST(id AS BLOB), x'00') = 0),
    title TEXT NOT NULL DEFAULT ''
        CONSTRAINT title_must_be_text_without_nul
            CHECK (typeof(title) = 'text' AND instr(CAST(title AS BLOB), x'00') = 0),
    starts_at INTEGER NOT NULL
        -- 1e11 seconds is the year 5138; anything from there on is milliseconds.
        CONSTRAINT starts_at_must_be_unix_seconds
            CHECK (typeof(starts_at) = 'integer' AND starts_at >= 0 AND starts_at < 100000000000),
    ends_at INTEGER NOT NULL
        CONSTRAINT ends_at_must_be_unix_seconds
            CHECK (typeof(ends_at) = 'integer' AND ends_at >= 0 AND ends_at < 100000000000),
    status TEXT NOT NULL DEFAULT 'scheduled'
        CONSTRAINT status_must_be_scheduled_or_cancelled CHECK (status IN ('scheduled', 'cancelled')),
    project TEXT NOT NULL DEFAULT 'default'
        CONSTRAINT project_must_be_text_of_1_to_64_bytes
            CHECK (typeof(project) = 'text' AND length(CAST(project AS BLOB)) BETWEEN 1 AND 64
                   AND instr(CAST(project AS BLOB), x'00') = 0),
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
    CONSTRAINT ends_at_must_be_after_starts_at CHECK (ends_at > starts_at),
    CONSTRAINT archive_mode_always_needs_media_mode_routed CHECK (archive_mode = 'manual' OR media_mode = 'routed'),
    CONSTRAINT archive_name_needs_archive_mode_always CHECK (archive_name IS NULL OR archive_mode = 'always'),
    CONSTRAINT archive_resolution_needs_archive_mode_always
        CHECK (archive_resolution IS NULL OR archive_mode = 'always'),
    CONSTRAINT e2ee_needs_media_mode_routed_and_archive_mode_manual
        CHECK (e2ee = 0 OR (media_mode = 'routed' AND archive_mode = 'manual'))
);

CREATE TABLE participant (
    meeting_id TEXT NOT NULL
        CONSTRAINT meeting_id_must_be_text_of_1_to_255_bytes
            CHECK (typeof(meeting_id) = 'text' AND length(CAST(meeting_id AS BLOB)) BETWEEN 1 AND 255)
        CONSTRAINT meeting_id_must_not_contain_nul CHECK (instr(CAST(meeting_id AS BLOB), x'00') = 0),
    id TEXT NOT NULL
        CONSTRAINT id_must_be_text_of_1_to_255_bytes
            CHECK (typeof(id) = 'text' AND length(CAST(id AS BLOB)) BETWEEN 1 AND 255)
        CONSTRAINT id_must_not_contain_nul CHECK (instr(CAST(id AS BLOB), x'00') = 0),
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
        CONSTRAINT layout_classes_must_be_names_of_letters_digits_underscore_hyphen_joined_by_one_space
            CHECK (layout_classes IS NULL
                   OR (typeof(layout_classes) = 'text' AND layout_classes NOT GLOB '*[^A-Za-z0-9_ -]*'
                       AND instr(CAST(layout_classes AS BLOB), x'00') = 0
                       AND layout_classes NOT GLOB ' *' AND layout_classes NOT GLOB '* '
                       AND instr(layout_classes, '  ') = 0))
        CONSTRAINT layout_classes_must_be_at_most_1000_bytes
            CHECK (layout_classes IS NULL OR length(CAST(layout_classes AS BLOB)) <= 1000),
    PRIMARY KEY (meeting_id, id)
) WITHOUT ROWID;

CREATE TABLE request (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    action TEXT NOT NULL
        CONSTRAINT action_must_be_rotate_replace_session_or_retry
            CHECK (action IN ('rotate', 'replace_session', 'retry')),
    meeting_id TEXT CONSTRAINT meeting_id_must_be_text CHECK (meeting_id IS NULL OR typeof(meeting_id) = 'text'),
    project TEXT CONSTRAINT project_must_be_text CHECK (project IS NULL OR typeof(project) = 'text'),
    requested_by TEXT NOT NULL DEFAULT '',
    requested_at INTEGER NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INTEGER))
        CONSTRAINT requested_at_must_be_unix_seconds
            CHECK (typeof(requested_at) = 'integer' AND requested_at < 100000000000),
    CONSTRAINT request_must_name_a_meeting_or_a_project_not_both CHECK (meeting_id IS NULL OR project IS NULL)
);

-- One row per meeting, and the only queue.
--   due_at      0: the platform wrote; else the instant at which time makes it due. The daemon changes it with what it
--               publishes, and looks whether it is still what it was when the rows were read.
--   session_no  the published session; staged_no one that has been created and not been published yet.
--   generation  counts requested rotations; tokens of an older generation are signed anew.
--   last_…_no   heads of the chains of the meeting's sessions and history, newest first, by their previous_no. An index
--               by meeting would be written to at a random page for each meeting, where a chain is only appended to.
CREATE TABLE agenda (
    meeting_no INTEGER PRIMARY KEY AUTOINCREMENT,
    meeting_id TEXT NOT NULL UNIQUE,
    starts_at INTEGER,
    opens INTEGER,
    closes INTEGER,
    due_at INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    failed_inputs INTEGER NOT NULL DEFAULT 0, -- what the failed attempts were for
    session_no INTEGER,
    staged_no INTEGER,
    generation INTEGER NOT NULL DEFAULT 0,
    renew_session INTEGER NOT NULL DEFAULT 0,
    request_id INTEGER,
    last_session_no INTEGER,
    last_history_no INTEGER,
    policy_hash INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'pending',
    reason TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT '',
    ready_at INTEGER,
    seq INTEGER -- none before anything was published
);
CREATE INDEX agenda_by_need ON agenda (starts_at) WHERE due_at = 0;
-- A day's meetings in the order of token and agenda: then many are on a page, and in that of their starts one.
CREATE INDEX agenda_by_day ON agenda (starts_at / 86400, session_no) WHERE due_at = 0;
CREATE INDEX agenda_by_time ON agenda (due_at) WHERE due_at > 0;
CREATE INDEX agenda_by_seq ON agenda (seq) WHERE seq IS NOT NULL;
CREATE INDEX agenda_by_request ON agenda (request_id) WHERE request_id IS NOT NULL;

CREATE TABLE session (
    session_no INTEGER PRIMARY KEY AUTOINCREMENT,
    meeting_no INTEGER NOT NULL,
    session_id TEXT NOT NULL UNIQUE, -- no session serves two meetings
    provider TEXT NOT NULL,
    project TEXT NOT NULL,
    project_key TEXT NOT NULL,
    options TEXT NOT NULL, -- what the session was created with, as one comparable text
    created_at INTEGER NOT NULL,
    previous_no INTEGER, -- the meeting's session before
    disconnect INTEGER NOT NULL DEFAULT 0 -- 1: whoever is in it is to be thrown out
);
CREATE INDEX session_to_disconnect ON session (session_no) WHERE disconnect = 1;

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

-- Written before each call. An answer that is lost leaves `abandoned`: there may be a session that nobody will use.
CREATE TABLE session_attempt (
    attempt_no INTEGER PRIMARY KEY AUTOINCREMENT,
    meeting_no INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    outcome TEXT NOT NULL DEFAULT 'started' -- created, failed, abandoned; unsent when the daemon stopped before
);
CREATE INDEX session_attempt_by_meeting ON session_attempt (meeting_no);
CREATE INDEX session_attempt_started ON session_attempt (attempt_no) WHERE outcome = 'started';

-- One row for each configured project.
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

CREATE TABLE participant_problem (
    meeting_no INTEGER NOT NULL,
    participant_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (meeting_no, participant_id)
) WITHOUT ROWID;

CREATE TABLE request_result (
    request_id INTEGER PRIMARY KEY,
    state TEXT NOT NULL, -- running, done, refused
    cursor_no INTEGER NOT NULL DEFAULT 0, -- the last meeting_no marked, while running; -1 when all are
    meetings INTEGER NOT NULL DEFAULT 0,
    sessions INTEGER NOT NULL DEFAULT 0,
    tokens INTEGER NOT NULL DEFAULT 0,
    detail TEXT NOT NULL DEFAULT '',
    done_at INTEGER
);
CREATE INDEX request_result_running ON request_result (request_id) WHERE state = 'running';

CREATE TABLE daemon (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL DEFAULT 0,
    who TEXT NOT NULL DEFAULT '',
    since INTEGER NOT NULL DEFAULT 0,
    heartbeat INTEGER NOT NULL DEFAULT 0, -- moves with each publish only
    clock_high INTEGER NOT NULL DEFAULT 0, -- the highest clock seen, to notice a step back while the daemon was down
    seq INTEGER NOT NULL DEFAULT 0,
    requests_seen INTEGER NOT NULL DEFAULT 0
);
INSERT INTO daemon (id) VALUES (1);

-- Append-only; never holds a token.
CREATE TABLE history (
    history_no INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    meeting_no INTEGER NOT NULL,
    event TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '',
    previous_no INTEGER -- the meeting's event before
);

-- Triggers write agenda only. They mark a meeting due, and a cancellation takes its sessions off the agenda, so that
-- the withdrawal is part of the platform's own commit and a restored meeting gets a new session. UPSERT inside a
-- trigger is not overridden by an outer OR REPLACE or OR IGNORE.

CREATE TRIGGER usher_meeting_insert AFTER INSERT ON meeting BEGIN
    INSERT INTO agenda (meeting_id, starts_at) VALUES (NEW.id, NEW.starts_at)
    ON CONFLICT (meeting_id) DO UPDATE SET due_at = 0, starts_at = excluded.starts_at;
    UPDATE agenda SET session_no = NULL, staged_no = NULL
     WHERE NEW.status = 'cancelled' AND meeting_id = NEW.id;
END;

CREATE TRIGGER usher_meeting_update AFTER UPDATE ON meeting BEGIN
    INSERT INTO agenda (meeting_id, starts_at) VALUES (NEW.id, NEW.starts_at)
    ON CONFLICT (meeting_id) DO UPDATE SET due_at = 0, starts_at = excluded.starts_at;
    UPDATE agenda SET session_no = NULL, staged_no = NULL
     WHERE NEW.status = 'cancelled' AND meeting_id = NEW.id;
    UPDATE agenda SET due_at = 0 WHERE OLD.id <> NEW.id AND meeting_id = OLD.id;
END;

CREATE TRIGGER usher_meeting_delete AFTER DELETE ON meeting BEGIN
    UPDATE agenda SET due_at = 0 WHERE meeting_id = OLD.id AND due_at <> 0;
END;

CREATE TRIGGER usher_participant_insert AFTER INSERT ON participant BEGIN
    INSERT INTO agenda (meeting_id) VALUES (NEW.meeting_id)
    ON CONFLICT (meeting_id) DO UPDATE SET due_at = 0 WHERE due_at <> 0;
END;

CREATE TRIGGER usher_participant_update AFTER UPDATE ON participant BEGIN
    INSERT INTO agenda (meeting_id) VALUES (NEW.meeting_id)
    ON CONFLICT (meeting_id) DO UPDATE SET due_at = 0 WHERE due_at <> 0;
    UPDATE agenda SET due_at = 0 WHERE meeting_id = OLD.meeting_id AND due_at <> 0;
END;

CREATE TRIGGER usher_participant_delete AFTER DELETE ON participant BEGIN
    UPDATE agenda SET due_at = 0 WHERE meeting_id = OLD.meeting_id AND due_at <> 0;
END;

-- What platforms read at the door. A row is there only while the meeting is scheduled, the participant exists with the
-- role that was signed, and the token is unexpired by the reader's own clock.
CREATE VIEW join_credential AS
SELECT m.id AS meeting_id, p.id AS participant_id, s.project, s.project_key, s.session_id, t.token, p.role,
       t.issued_at, t.expires_at, a.opens AS opens_at, a.closes AS closes_at
  FROM meeting m
  JOIN agenda a ON a.meeting_id = m.id
  JOIN session s ON s.session_no = a.session_no
  JOIN participant p ON p.meeting_id = m.id
  JOIN token t ON t.session_no = a.session_no AND t.participant_id = p.id
 WHERE m.status = 'scheduled'
   AND t.role = CASE p.role WHEN 'subscriber' THEN 1 WHEN 'publisher' THEN 2
                            WHEN 'publisheronly' THEN 3 WHEN 'moderator' THEN 4 END
   AND t.expires_at > CAST(strftime('%s', 'now') AS INTEGER);

CREATE VIEW meeting_status AS
SELECT a.meeting_id,
       CASE WHEN a.due_at <= CAST(strftime('%s', 'now') AS INTEGER) THEN 'pending' ELSE a.state END AS state,
       a.reason, a.detail, a.ready_at, NULLIF(a.next_at, 0) AS next_at, a.opens AS opens_at, a.closes AS closes_at,
       a.seq
  FROM agenda a;
