#!/bin/sh
# A scheduling platform in a shell, with the sqlite3 program. usage: shell.sh /var/lib/usher/usher.db
set -eu

db=$1
meeting=shell-1
# Waits 5 s for locks, and ends at the first error.
ask() { sqlite3 -bail -cmd '.timeout 5000' "$db" "$1"; }
# IMMEDIATE: a transaction that reads first and writes then would fail beside other writers.
write() { ask "BEGIN IMMEDIATE; $1; COMMIT"; }
await() {
    tries=0
    until row=$(ask "$1") && [ -n "$row" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || { echo "nothing came: $(ask 'SELECT * FROM usher_status')" >&2; exit 1; }
        sleep 0.1
    done
    echo "$row"
}
person() {
    echo "INSERT INTO participant (meeting_id, participant_id, role) VALUES ('$meeting', '$1', '$2')
          ON CONFLICT (meeting_id, participant_id) DO UPDATE SET role = excluded.role"
}

starts_at=$(($(date +%s) + 600)) # whole Unix seconds, UTC
ask "INSERT INTO meeting (id, starts_at, ends_at) VALUES ('$meeting', ${starts_at}000, $starts_at)" 2>&1 |
    sed -n 's/.*\(CHECK constraint failed.*\)/refused: \1/p' | sed 's/ (19)$//'

seen=$(ask 'SELECT COALESCE(max(seq), 0) FROM meeting_status') # 64 bits
write "INSERT INTO meeting (id, title, starts_at, ends_at)
       VALUES ('$meeting', 'Stand-up', $starts_at, $((starts_at + 900)))
       ON CONFLICT (id) DO UPDATE SET starts_at = excluded.starts_at, ends_at = excluded.ends_at, status = 'scheduled';
       DELETE FROM block WHERE meeting_id = '$meeting'; $(person 7 publisher); $(person bob subscriber)"
credential="SELECT project_key, session_id, token FROM join_credential
             WHERE meeting_id = '$meeting' AND participant_id ="
echo "credential: $(await "$credential '7'")"

ask "$(person 7 moderator)" # one statement is a transaction
await "$credential '7' AND role = 'moderator'" >/dev/null
echo "role: moderator"

ask "INSERT INTO block (meeting_id, participant_id, reason) VALUES ('$meeting', 'bob', 'asked to leave')"
echo "blocked: $(ask "$credential 'bob'" | grep . || echo none)"

request=$(ask "INSERT INTO request (action, meeting_id, requested_by) VALUES ('rotate', '$meeting', 'shell');
               SELECT last_insert_rowid()")
echo "request: $(await "SELECT state FROM request_status WHERE id = $request AND done_at IS NOT NULL")"

ask "SELECT 'changed: ' || meeting_id || ' ' || state || ' ' || seq FROM meeting_status WHERE seq > $seen ORDER BY seq"

ask "UPDATE meeting SET status = 'cancelled' WHERE id = '$meeting'"
echo "cancelled: $(ask "$credential '7'" | grep . || echo none)"
