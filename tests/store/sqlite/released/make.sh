#!/usr/bin/env bash
# usage: make.sh BIN > VERSION.sql: a database as the usher in BIN leaves it, as text. Run once for each release that
# brings a migration, and never again: from then on the file is what users have.
set -euo pipefail
bin=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
db=$work/usher.db
"$bin/usherctl" --db "$db" init >/dev/null
sqlite3 "$db" "INSERT INTO meeting (id, title, starts_at, ends_at, early_join)
    SELECT 'live-' || value, 'Now', unixepoch() - 60, unixepoch() + 3600, 120 FROM generate_series(1, 3);
INSERT INTO meeting (id, title, starts_at, ends_at) VALUES ('later', 'In a month', unixepoch() + 2592000, unixepoch() + 2595600),
    ('cancelled', '', unixepoch() + 60, unixepoch() + 3600), ('over', '', unixepoch() - 7200, unixepoch() - 3600);
INSERT INTO meeting (id, starts_at, ends_at, session_id, project) VALUES ('unknown', unixepoch(), unixepoch() + 60, NULL, 'nobody');
INSERT INTO participant (meeting_id, participant_id, role, connection_data) SELECT id, 'ann', 'moderator', 'a=1' FROM meeting;
INSERT INTO participant (meeting_id, participant_id, display_name, role) SELECT id, 'bob', 'Bob', 'publisher' FROM meeting;
INSERT INTO block (meeting_id, participant_id, reason) VALUES ('live-2', 'bob', 'out');"
"$bin/usherd" --db "$db" --once >/dev/null 2>&1 || true
sqlite3 "$db" "UPDATE participant SET role = 'subscriber' WHERE meeting_id = 'live-1' AND participant_id = 'bob';
UPDATE meeting SET status = 'cancelled' WHERE id = 'cancelled';
DELETE FROM participant WHERE meeting_id = 'live-3' AND participant_id = 'bob';
INSERT INTO request (action, meeting_id) VALUES ('replace_session', 'live-3'), ('rotate', 'nowhere');
INSERT INTO request (action, project) VALUES ('rotate', 'default');"
"$bin/usherd" --db "$db" --once >/dev/null 2>&1 || true
sqlite3 "$db" "INSERT INTO request (action, project) VALUES ('retry', '*'); UPDATE meeting SET title = 'due' WHERE id = 'live-1'"
# Not the name of the machine.
sqlite3 "$db" .dump | sed -E "s/(pid [0-9]+ on )[^,']+/\1host/"
sqlite3 "$db" "SELECT 'PRAGMA application_id=' || application_id || ';' FROM pragma_application_id;
SELECT 'PRAGMA user_version=' || user_version || ';' FROM pragma_user_version;"
