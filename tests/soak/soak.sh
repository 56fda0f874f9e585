#!/usr/bin/env bash
# usage: soak.sh BIN KILLS: the real programs on a real disk. KILLS times usherd, and now and then a program beside it, is
# killed in the middle of its work; then it meets a full disk, a disk that cannot be written to, a lack of descriptors,
# another usherd and pages that are damaged. Chance comes from USHER_SOAK_SEED, which is printed.
set -Eeuo pipefail

bin=$(cd "$1" && pwd)
kills=$2
seed=${USHER_SOAK_SEED:-$((16#$(od -An -N3 -tx1 /dev/urandom | tr -d ' \n')))}
RANDOM=$seed
work=$(mktemp -d "${TMPDIR:-/tmp}/usher-soak-XXXXXX")
mounted=
daemon=
finish() {
    [ -z "$daemon" ] || kill -9 "$daemon" 2>/dev/null || true
    [ -z "$mounted" ] || umount -l "$mounted" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
trap 'echo "line $LINENO failed; the last that was said:" >&2; tail -n 5 "$work/log" >&2' ERR
echo "seed $seed, $kills kills"

meetings=150
people=6
db=$work/usher.db

fail() {
    echo "FAIL  $*" >&2
    tail -n 20 "$work/log" >&2 2>/dev/null || true
    exit 1
}
ask() { sqlite3 -cmd '.timeout 10000' "$db" "$1"; }
note() { printf 'ok    %s\n' "$1"; }

# Writes a schedule of which each call changes a part.
schedule() {
    local now i p role roles=(publisher subscriber moderator publisheronly)
    now=$(date +%s)
    {
        echo 'external_id,title,starts_at_utc,ends_at_utc'
        for ((i = 0; i < meetings; ++i)); do # the first of them are over, for so long that they are purged
            local starts=$((i < 20 ? now - (50 + i) * 86400 : now + 600 + i % 50 * 60))
            echo "m$i,title $((RANDOM % 5)),$(date -u -d "@$((starts / 60 * 60))" +%FT%TZ),$(date -u -d "@$((starts / 60 * 60 + 3600))" +%FT%TZ)"
        done
    } >"$work/meetings.csv"
    {
        echo 'meeting_external_id,external_id,display_name,role'
        for ((i = 0; i < meetings; ++i)); do
            for ((p = 0; p < people; ++p)); do
                role=${roles[$((RANDOM % 10 > 0 ? p % 4 : RANDOM % 4))]}
                echo "m$i,p$p,Ann,$role"
            done
        done
    } >"$work/participants.csv"
}

import() { "$bin/usherctl" --db "$db" import --meetings "$work/meetings.csv" --participants "$work/participants.csv" >>"$work/log" 2>&1; }

# Something that somebody does beside the daemon.
act() {
    case $((RANDOM % 5)) in
    0) schedule && import ;;
    1) "$bin/usherctl" --db "$db" rotate --all >>"$work/log" 2>&1 ;;
    2) "$bin/usherctl" --db "$db" replace-session "m$((20 + RANDOM % (meetings - 20)))" --yes >>"$work/log" 2>&1 ;;
    3) ask "UPDATE meeting SET status = CASE status WHEN 'cancelled' THEN 'scheduled' ELSE 'cancelled' END WHERE id LIKE 'm%$((RANDOM % 10))'" ;;
    *) ask "BEGIN IMMEDIATE; DELETE FROM participant WHERE meeting_id LIKE 'm1%'; INSERT INTO participant (meeting_id, participant_id, role) SELECT id, 'p0', 'publisher' FROM meeting WHERE id LIKE 'm1%'; COMMIT" ;;
    esac
}

# What holds at every instant, whoever died.
check() {
    local found
    found=$(ask "PRAGMA quick_check")
    [ "$found" = ok ] || fail "$1: the database is damaged: $found"
    found=$(ask "SELECT count(*) FROM join_credential WHERE expires_at > closes_at AND meeting_id IN (SELECT meeting_id FROM meeting_status WHERE state = 'ready')")
    [ "$found" = 0 ] || fail "$1: $found credentials outlive their meeting"
    found=$(ask "SELECT count(*) FROM (SELECT 1 FROM join_credential GROUP BY meeting_id, participant_id HAVING count(*) > 1)")
    [ "$found" = 0 ] || fail "$1: $found people have two credentials"
    found=$(ask "SELECT count(*) FROM (SELECT session_id FROM join_credential GROUP BY session_id HAVING count(DISTINCT meeting_id) > 1)")
    [ "$found" = 0 ] || fail "$1: $found sessions serve two meetings"
    found=$(ask "SELECT seq FROM usher_status")
    [ "${found:-0}" -ge "${last_seq:-0}" ] || fail "$1: what was published is lost: seq $found after $last_seq"
    last_seq=$found
}

# After a run to its end nothing is left to do.
settle() {
    "$bin/usherd" --db "$db" --once >>"$work/log" 2>&1 || fail "$1: usherd --once ends with status $?"
    check "$1"
    local found
    found=$(ask "SELECT count(*) FROM meeting_status s JOIN meeting m ON m.id = s.meeting_id WHERE m.status = 'scheduled' AND m.starts_at BETWEEN unixepoch() AND unixepoch() + 3600 AND s.state <> 'ready'")
    [ "$found" = 0 ] || fail "$1: $found meetings are not ready"
    found=$(ask "SELECT count(*) FROM participant p JOIN meeting m ON m.id = p.meeting_id WHERE m.status = 'scheduled' AND m.starts_at BETWEEN unixepoch() AND unixepoch() + 3600 AND NOT EXISTS (SELECT 1 FROM join_credential j WHERE j.meeting_id = p.meeting_id AND j.participant_id = p.participant_id)")
    [ "$found" = 0 ] || fail "$1: $found people have no credential"
    found=$(ask "SELECT count(*) FROM credential_history h JOIN meeting m ON m.id = h.meeting_id WHERE m.ends_at < unixepoch() - 40 * 86400")
    [ "$found" = 0 ] || fail "$1: $found credentials of meetings that ended long ago are left"
}

start() {
    "$bin/usherd" --db "$db" >>"$work/log" 2>&1 &
    daemon=$!
}
# Likewise, until it has taken over.
start_well() {
    local before
    before=$(ask "SELECT epoch FROM daemon")
    start
    for _ in $(seq 100); do
        [ "$(ask "SELECT epoch FROM daemon")" = "$before" ] || return 0
        sleep 0.1
    done
    fail "usherd does not take over"
}
kill_it() {
    kill -9 "$daemon" 2>/dev/null || fail "usherd ended by itself"
    wait "$daemon" 2>/dev/null || true
    daemon=
}

# The status of a run that cannot do well: it may fail, and never crash.
fails_in_order() {
    local status=0
    timeout 60 "$@" >>"$work/log" 2>&1 || status=$?
    [ "$status" -ne 124 ] || fail "$* hangs"
    [ "$status" -lt 128 ] || fail "$* dies of signal $((status - 128))"
    echo "$status"
}

"$bin/usherctl" --db "$db" init >>"$work/log" 2>&1
schedule
import
settle "before the first kill"

started=$SECONDS
for ((i = 1; i <= kills; ++i)); do
    : >"$work/log"
    start
    act &
    other=$!
    sleep "0.$(printf '%03d' $((RANDOM % 200)))"
    [ $((RANDOM % 6)) -gt 0 ] || kill -9 "$other" 2>/dev/null || true
    kill_it
    wait "$other" 2>/dev/null || true
    check "kill $i"
    if ((i % 25 == 0)); then
        settle "kill $i"
    fi
done
settle "after $kills kills"
note "$kills kills in $((SECONDS - started)) s"

start_well
status=$(fails_in_order "$bin/usherd" --db "$db" --once)
[ "$status" -ne 0 ] || fail "a second usherd runs beside the first"
kill -TERM "$daemon"
wait "$daemon" || fail "usherd does not end well beside another"
daemon=
settle "a second usherd"
note "a second usherd is refused"

ask "INSERT INTO request (action, project) VALUES ('rotate', '*')"
for limit in 5 8 12 16 20; do
    (ulimit -n "$limit" && fails_in_order "$bin/usherd" --db "$db" --once) >/dev/null
    check "$limit descriptors"
done
settle "descriptors again"
note "too few descriptors"

# As when the disk is full, for whoever may not mount one.
ask "INSERT INTO request (action, project) VALUES ('rotate', '*')"
size=$(stat -c %s "$db")
(
    trap '' XFSZ
    ulimit -f $((size / 1024 / 2))
    fails_in_order "$bin/usherd" --db "$db" --once
) >/dev/null
check "files that may not grow"
settle "files that may grow again"
note "files that may not grow"

if [ "$(id -u)" -eq 0 ] && mkdir "$work/disk" && mount -t tmpfs -o size=8m tmpfs "$work/disk" 2>/dev/null; then
    mounted=$work/disk
    kept=$db
    kept_seq=$last_seq
    db=$work/disk/usher.db
    last_seq=0
    "$bin/usherctl" --db "$db" init >>"$work/log" 2>&1
    import
    settle "a small disk"
    dd if=/dev/zero of="$work/disk/filler" bs=1k 2>/dev/null || true
    ask "INSERT INTO request (action, project) VALUES ('rotate', '*')" 2>/dev/null || true
    # Nobody may even read then: SQLite finds no room for what connections share.
    fails_in_order "$bin/usherd" --db "$db" --once >/dev/null
    start
    sleep 1
    kill -0 "$daemon" 2>/dev/null || fail "usherd ends on a full disk"
    rm "$work/disk/filler"
    kill -TERM "$daemon" 2>/dev/null || true
    wait "$daemon" || true
    daemon=
    check "a full disk"
    settle "a disk with room again"
    note "a full disk"

    mount -o remount,ro "$work/disk"
    status=$(fails_in_order "$bin/usherd" --db "$db" --once)
    [ "$status" -ne 0 ] || fail "usherd does well on a disk that cannot be written to"
    mount -o remount,rw "$work/disk"
    settle "a disk that can be written to again"
    note "a disk that cannot be written to"
    umount "$work/disk"
    mounted=
    db=$kept
    last_seq=$kept_seq
else
    echo "      a full disk and one that cannot be written to: left out, for want of the right to mount"
fi

pages=$(ask "PRAGMA page_count")
for ((i = 0; i < 40; ++i)); do
    cp "$db" "$work/damaged.db"
    cp "$db.key" "$work/damaged.db.key"
    cp "$db.mark" "$work/damaged.db.mark"
    page=$((2 + RANDOM % (pages - 2)))
    dd if=/dev/urandom of="$work/damaged.db" bs=4096 seek="$page" count=1 conv=notrunc 2>/dev/null
    sqlite3 "$work/damaged.db" "INSERT INTO request (action, project) VALUES ('rotate', '*')" 2>/dev/null || true
    fails_in_order "$bin/usherd" --db "$work/damaged.db" --once >/dev/null
    fails_in_order "$bin/usherctl" --db "$work/damaged.db" status >/dev/null
    rm -f "$work"/damaged.db*
done
note "40 databases with a damaged page"
