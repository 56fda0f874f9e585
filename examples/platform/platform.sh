#!/bin/sh
# What a scheduling platform does, in a shell: one write, one read. usage: platform.sh /var/lib/usher/usher.db
set -eu

sqlite3 -bail -cmd '.timeout 5000' "$1" <<'SQL'
BEGIN IMMEDIATE;
INSERT INTO meeting (id, title, starts_at, ends_at)
VALUES ('sh-1', 'Stand-up', strftime('%s', 'now') + 600, strftime('%s', 'now') + 1500)
ON CONFLICT (id) DO UPDATE SET starts_at = excluded.starts_at, ends_at = excluded.ends_at;
INSERT INTO participant (meeting_id, participant_id, role) VALUES ('sh-1', 'speaker-1', 'moderator')
ON CONFLICT (meeting_id, id) DO UPDATE SET role = excluded.role;
COMMIT;
SQL

# At the door. Nothing: not ready yet, cancelled or over; the view meeting_status says which.
sqlite3 -readonly -cmd '.timeout 5000' "$1" "SELECT project_key, session_id, token FROM join_credential
    WHERE meeting_id = 'sh-1' AND participant_id = 'speaker-1'"
