-- The contract between platforms and usher, version 1.
--
-- Platforms write meeting, participant, block and request, and read the views at the end; everything else is usher's.
-- A platform's own SQLite library runs these CHECKs, triggers and views, so nothing here is newer than 3.24, and each
-- view stands on one line. All times are whole Unix seconds in UTC.
--
--   agenda.session_no ──▶ session 7 (published) ──▶ tokens that readers see
--   agenda.staged_no  ──▶ session 9 (staged)    ──▶ tokens being stored
--   agenda.last_session_no ──▶ 9 ──previous_no──▶ 7 ──▶ 3   (strictly descending)
--
-- CHECKs run before a column's affinity is applied up to SQLite 3.37, and after it from 3.38: an integer that is bound
-- to a TEXT column is of type 'integer' in the one, and of type 'text' in the other.

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

-- `id` is a key for object mappers, and means nothing. The platform's own name for a person is participant_id.
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
-- An index of its own, and no table constraint: it can be put back without a rebuild, and mappers find it by name.
CREATE UNIQUE INDEX participant_by_meeting ON participant (meeting_id, participant_id);

-- This person gets nothing in this meeting, whatever is written to participant.
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
CREATE UNIQUE INDEX block_by_meeting ON block (meeting_id, participant_id);


-- What platforms ask for. The scope is always written out: one meeting, or all meetings of a project, or with '*' all.
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

-- One row per meeting, and the only queue.
--   due_at      0: the platform wrote; else the instant at which time makes it due. The daemon changes it with what it
--               publishes, and looks whether it is still what it was when the rows were read.
--   session_no  the published session; staged_no one that has been created and not been published yet.
--   generation  the newest rotation that was asked for and done; tokens of an older one are signed anew.
--   settled_at  the instant of the look that the row shows; one in the future is taken again.
--   gone_at     when usher first found the meeting's own row deleted.
--   edited_early
--               1: by the last edit before the meeting opened, it wants another session than it has, and that is not
--               settled. It is served as an edit from before, however late usher looks.
--   last_…_no   heads of the chains of the meeting's sessions and history, newest first, by their previous_no. An index
--               by meeting would be written to at a random page for each meeting, where a chain is only appended to.
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
CREATE INDEX agenda_by_need ON agenda (starts_at) WHERE due_at = 0;
-- A day's meetings in the order of token and agenda: then many are on a page, and in that of their starts one.
CREATE INDEX agenda_by_day ON agenda (day, session_no) WHERE due_at = 0;
CREATE INDEX agenda_by_time ON agenda (due_at) WHERE due_at > 0;
CREATE INDEX agenda_by_seq ON agenda (seq) WHERE seq IS NOT NULL;

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
-- No session of usher's making serves two meetings.
CREATE UNIQUE INDEX session_by_id ON session (session_id) WHERE adopted = 0;
CREATE INDEX session_with_past ON session (meeting_no) WHERE has_past = 1;
CREATE INDEX session_by_adopted_id ON session (session_id) WHERE adopted = 1;
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

-- What token rows were before they were replaced or withdrawn; never the token. `seq` tells the replacements of one
-- person's token apart. Rows go with their session.
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

-- Who was removed before the meeting opened, with a token for its session, and is not back. Served as a removal from
-- before, however late usher looks. Kept until the meeting has another session or is over; not kept where on_removal asks
-- for no other session.
CREATE TABLE removal (
    meeting_id TEXT NOT NULL,
    participant_id TEXT NOT NULL,
    PRIMARY KEY (meeting_id, participant_id)
) WITHOUT ROWID;

-- By the first 256 bytes of the id, and of quote() where it is no text: that and a longer one are problems themselves.
CREATE TABLE participant_problem (
    meeting_no INTEGER NOT NULL,
    participant_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (meeting_no, participant_id)
) WITHOUT ROWID;

-- One row for each request, with a number that is never given again: a platform may delete its rows and their sequence.
-- A result goes with its row.
--   request_id  none when the row was deleted while there was work to take back.
--   action …    as filed, so that a row that was put in the place of another is noticed even without a trigger.
--   work_no     equal requests that were filed before any of them began share their work.
--   cursor_no   the last meeting_no that was gone through; none when all were, or before the work begins.
--   pass        what it is gone through for: 0 near meetings, 1 the rest, 2 to take back what an aborted one marked.
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
CREATE INDEX request_result_filed ON request_result (meeting_id, action, project) WHERE state = 'filed';
CREATE INDEX request_result_running ON request_result (work_no) WHERE state = 'running';
CREATE INDEX request_result_marking ON request_result (request_no) WHERE cursor_no IS NOT NULL;

-- What work has marked and what has not been served for it yet.
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
INSERT INTO daemon (id) VALUES (1);

-- The words for token.reason, token_past.reason and token_past.withdrawn_reason.
CREATE TABLE token_reason (code INTEGER PRIMARY KEY, reason TEXT NOT NULL);
INSERT INTO token_reason VALUES (2, 'issued'), (3, 'role_changed'), (4, 'details_changed'), (5, 'schedule_changed'), (6, 'policy_changed'), (7, 'key_changed'), (8, 'rotated'), (9, 'requested'), (10, 'clock_changed'), (20, 'removed'), (21, 'blocked'), (22, 'cancelled'), (23, 'deleted'), (24, 'ended'), (25, 'session_replaced'), (26, 'not_served'), (27, 'not_yet');

-- When each role may enter, as configured; the views read it. The daemon writes it when the policy changes.
CREATE TABLE door (
    role TEXT NOT NULL PRIMARY KEY,
    code INTEGER NOT NULL, -- as in token.role
    early_join INTEGER NOT NULL, -- seconds before the meeting starts
    hidden INTEGER NOT NULL -- 1: a credential is not shown before its holder's door
) WITHOUT ROWID;
INSERT INTO door VALUES ('subscriber', 1, 900, 0), ('publisher', 2, 900, 0), ('publisheronly', 3, 900, 0), ('moderator', 4, 900, 0);

-- Append-only; never holds a token.
CREATE TABLE history (
    history_no INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    meeting_no INTEGER NOT NULL,
    event TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '',
    previous_no INTEGER -- the meeting's event before
);

-- Triggers write agenda only, but those of request. They mark a meeting due, and a cancellation takes its sessions off
-- the agenda, so that the withdrawal is part of the platform's own commit and a restored meeting gets a new session.
-- UPSERT inside a trigger is not overridden by an outer OR REPLACE or OR IGNORE.
-- Values that only a writer without CHECKs can bring are of any size: no key of usher's own is made of them.

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

-- REPLACE by id takes a row from its meeting without a DELETE trigger. An id near the largest one would end AUTOINCREMENT.
-- A row that is ignored leaves what this writes: who is a participant is not removed, whatever `removal` says.
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

-- An id near the largest one would end AUTOINCREMENT.
CREATE TRIGGER usher_request_before_insert BEFORE INSERT ON request WHEN NEW.id >= 4611686018427387904 BEGIN
    SELECT RAISE(ABORT, 'id_must_be_below_2_to_the_62');
END;

CREATE TRIGGER usher_request_before_update BEFORE UPDATE ON request
WHEN NEW.id IS NOT OLD.id OR NEW.action IS NOT OLD.action OR NEW.meeting_id IS NOT OLD.meeting_id
     OR NEW.project IS NOT OLD.project OR NEW.requested_at IS NOT OLD.requested_at BEGIN
    SELECT RAISE(ABORT, 'request_must_not_change_file_another_one');
END;

-- REPLACE by id takes a row away without a DELETE trigger, and is a request of its own.
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

-- What platforms read at the door. A row is there only while the meeting is scheduled, the participant exists with the
-- role that was signed and is not blocked, the door allows it, and the token is unexpired by the reader's own clock.
CREATE VIEW join_credential AS SELECT m.id AS meeting_id, p.participant_id AS participant_id, s.project AS project, s.project_key AS project_key, s.session_id AS session_id, t.token AS token, p.role AS role, t.issued_at AS issued_at, t.expires_at AS expires_at, m.starts_at - COALESCE(m.early_join, d.early_join) AS opens_at, a.closes AS closes_at FROM meeting m JOIN agenda a ON a.meeting_id = m.id JOIN session s ON s.session_no = a.session_no JOIN participant p ON p.meeting_id = m.id JOIN token t ON t.session_no = a.session_no AND t.participant_id = p.participant_id JOIN door d ON d.role = p.role WHERE m.status = 'scheduled' AND t.role = d.code AND t.expires_at > CAST(strftime('%s', 'now') AS INTEGER) AND (d.hidden = 0 OR m.starts_at - COALESCE(m.early_join, d.early_join) <= CAST(strftime('%s', 'now') AS INTEGER)) AND NOT EXISTS (SELECT 1 FROM block b WHERE b.meeting_id = p.meeting_id AND b.participant_id = p.participant_id);

-- `seq` takes 64 bits. It grows with every change of what is published or of a state.
CREATE VIEW meeting_status AS SELECT a.meeting_id AS meeting_id, CASE WHEN a.due_at <= CAST(strftime('%s', 'now') AS INTEGER) THEN 'pending' ELSE a.state END AS state, a.reason AS reason, a.detail AS detail, a.ready_at AS ready_at, NULLIF(max(a.next_at, COALESCE((SELECT p.next_at FROM meeting m JOIN project_status p ON p.name = m.project WHERE m.id = a.meeting_id AND a.state IN ('pending', 'failed')), 0)), 0) AS next_at, a.opens AS opens_at, a.closes AS closes_at, a.seq AS seq FROM agenda a;

-- One row for each person of each meeting. `ready`: join_credential shows the credential, now.
CREATE VIEW participant_status AS SELECT p.meeting_id AS meeting_id, p.participant_id AS participant_id, p.role AS role, CASE WHEN m.id IS NULL THEN 'waiting' WHEN m.status <> 'scheduled' OR b.id IS NOT NULL THEN 'cancelled' WHEN a.closes <= CAST(strftime('%s', 'now') AS INTEGER) THEN 'ended' WHEN t.token IS NOT NULL AND t.role = d.code AND t.expires_at > CAST(strftime('%s', 'now') AS INTEGER) THEN CASE WHEN d.hidden = 0 OR m.starts_at - COALESCE(m.early_join, d.early_join) <= CAST(strftime('%s', 'now') AS INTEGER) THEN 'ready' ELSE 'waiting' END WHEN a.due_at <= CAST(strftime('%s', 'now') AS INTEGER) THEN 'pending' WHEN q.reason IS NOT NULL THEN 'failed' WHEN a.state = 'ready' THEN 'pending' ELSE a.state END AS state, CASE WHEN m.id IS NULL THEN 'no_meeting' WHEN m.status <> 'scheduled' THEN 'cancelled' WHEN b.id IS NOT NULL THEN 'blocked' WHEN a.closes <= CAST(strftime('%s', 'now') AS INTEGER) THEN '' WHEN t.token IS NOT NULL AND t.role = d.code AND t.expires_at > CAST(strftime('%s', 'now') AS INTEGER) THEN CASE WHEN d.hidden = 0 OR m.starts_at - COALESCE(m.early_join, d.early_join) <= CAST(strftime('%s', 'now') AS INTEGER) THEN '' ELSE 'before_door' END WHEN a.due_at <= CAST(strftime('%s', 'now') AS INTEGER) THEN '' WHEN q.reason IS NOT NULL THEN q.reason ELSE a.reason END AS reason, CASE WHEN m.id IS NULL OR m.status <> 'scheduled' THEN '' WHEN b.id IS NOT NULL THEN b.reason WHEN a.closes <= CAST(strftime('%s', 'now') AS INTEGER) THEN '' WHEN q.reason IS NOT NULL THEN q.detail WHEN a.state = 'ready' THEN '' ELSE a.detail END AS detail, m.starts_at - COALESCE(m.early_join, d.early_join) AS opens_at, a.closes AS closes_at, t.expires_at AS expires_at FROM participant p LEFT JOIN meeting m ON m.id = p.meeting_id LEFT JOIN agenda a ON a.meeting_id = p.meeting_id LEFT JOIN door d ON d.role = p.role LEFT JOIN session s ON s.session_no = a.session_no LEFT JOIN token t ON t.session_no = s.session_no AND t.participant_id = p.participant_id LEFT JOIN participant_problem q ON q.meeting_no = a.meeting_no AND q.participant_id = CASE typeof(p.participant_id) WHEN 'text' THEN CAST(substr(CAST(p.participant_id AS BLOB), 1, 256) AS TEXT) ELSE substr(quote(p.participant_id), 1, 256) END LEFT JOIN block b ON b.meeting_id = p.meeting_id AND b.participant_id = p.participant_id;

-- One row. `looked_at` is of the last minute while usherd is at work. Start anew from seq 0 when `restores` has changed.
CREATE VIEW usher_status AS SELECT 1 AS contract_version, who AS who, since AS since, heartbeat AS looked_at, seq AS seq, restores AS restores, damage AS damage FROM daemon WHERE id = 1;

-- Every token that was published, and never the token: those that are, and those that were.
CREATE VIEW credential_history AS SELECT a.meeting_id AS meeting_id, t.participant_id AS participant_id, s.project AS project, s.session_id AS session_id, d.role AS role, r.reason AS reason, t.issued_at AS issued_at, t.expires_at AS expires_at, NULL AS withdrawn_at, NULL AS withdrawn_reason FROM agenda a JOIN session s ON s.session_no = a.session_no JOIN token t ON t.session_no = s.session_no LEFT JOIN door d ON d.code = t.role LEFT JOIN token_reason r ON r.code = t.reason UNION ALL SELECT a.meeting_id AS meeting_id, t.participant_id AS participant_id, s.project AS project, s.session_id AS session_id, d.role AS role, r.reason AS reason, t.issued_at AS issued_at, t.expires_at AS expires_at, t.withdrawn_at AS withdrawn_at, w.reason AS withdrawn_reason FROM agenda a JOIN session s ON s.meeting_no = a.meeting_no AND s.has_past = 1 JOIN token_past t ON t.session_no = s.session_no LEFT JOIN door d ON d.code = t.role LEFT JOIN token_reason r ON r.code = t.reason LEFT JOIN token_reason w ON w.code = t.withdrawn_reason;

-- What became of each request: filed, running, done, refused or aborted; `detail` says why.
CREATE VIEW request_status AS SELECT r.id AS id, r.action AS action, r.meeting_id AS meeting_id, r.project AS project, r.requested_by AS requested_by, r.requested_at AS requested_at, q.state AS state, q.meetings AS meetings, q.served AS served, q.sessions AS sessions, q.tokens AS tokens, q.detail AS detail, q.done_at AS done_at FROM request r LEFT JOIN request_result q ON q.request_id = r.id;
