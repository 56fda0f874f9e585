#!/usr/bin/env bash
# usage: syscalls_test.sh BIN UNIT
# Whether the filter of the file UNIT lets through each system call that usherd in BIN makes: on the sandbox, towards
# hosts that do not answer, during a reload, and in a short run. A call that the filter refuses fails in silence.
set -euo pipefail
export LC_ALL=C
if [ "$(id -u)" -eq 0 ]; then # SQLite makes calls as root that it does not make as the unit's account
    exec setpriv --reuid=65534 --regid=65534 --clear-groups "$0" "$@"
fi
bin=$1 unit=$2
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
daemon=
finish() {
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
mkdir -p "$work/data" "$work/traces"

# Names of a set, with those of the sets in it.
expand() {
    local name
    systemd-analyze syscall-filter "$1" | sed -n 's/^ \{4\}\([@a-z0-9_-]*\).*/\1/p' | while read -r name; do
        case $name in
        @*) expand "$name" ;;
        *) echo "$name" ;;
        esac
    done
}
: >"$work/allowed"
while read -r line; do
    for set in ${line#\~}; do
        case $set in @*) expand "$set" ;; *) echo "$set" ;; esac
    done | sort -u >"$work/set"
    case $line in
    \~*) comm -23 "$work/allowed" "$work/set" >"$work/less" && mv "$work/less" "$work/allowed" ;;
    *) sort -u -o "$work/allowed" "$work/allowed" "$work/set" ;;
    esac
done < <(sed -n 's/^SystemCallFilter=//p' "$unit")
[ "$(wc -l <"$work/allowed")" -gt 100 ] || { echo "the filter of $unit could not be read"; exit 1; }

cat >"$work/usher.yaml" <<YAML
database: $work/data/usher.db
projects:
  default: {provider: sandbox}
  partner: {provider: opentok, api_key: "47000000", api_secret: {file: secret}, base_url: "https://localhost:1"}
  other: {provider: opentok, api_key: "47000001", api_secret: {file: secret}, base_url: "https://vendor.invalid"}
YAML
(umask 077 && echo 0123456789abcdef0123456789abcdef01234567 >"$work/secret")
usherctl() { "$bin/usherctl" --config "$work/usher.yaml" "$@" >/dev/null; }
usherctl init
usherctl import --shift-start +5m --meetings examples/meetings.csv --participants examples/participants.csv
sqlite3 -cmd '.timeout 5000' "$work/data/usher.db" "UPDATE meeting SET project = 'other' WHERE id = 'opening'"
until_is() { # QUERY: 1
    for _ in $(seq 300); do
        [ "$(sqlite3 -cmd '.timeout 5000' "$work/data/usher.db" "$1")" != 1 ] || return 0
        sleep 0.1 # polls a process
    done
    echo "still not: $1"
    tail -n 20 "$work/log"
    exit 1
}
strace -f -qq -o "$work/traces/daemon" "$bin/usherd" --config "$work/usher.yaml" 2>"$work/log" &
daemon=$!
until_is "SELECT count(*) > 0 FROM join_credential"
until_is "SELECT count(*) = 0 FROM meeting_status WHERE state = 'pending' AND reason IS NULL"
child=$(pgrep -P "$daemon" -x usherd)
kill -HUP "$child"
until_is "INSERT INTO request (action, project) VALUES ('rotate', 'default'); SELECT 1"
until_is "SELECT count(*) > 0 FROM request_status WHERE state = 'done'"
kill -TERM "$child"
wait "$daemon" || true
daemon=
strace -f -qq -o "$work/traces/once" "$bin/usherd" --config "$work/usher.yaml" --once >/dev/null 2>&1 || true

# 812 openat(…: the name after the number of the thread.
cat "$work/traces/daemon" "$work/traces/once" | sed -nE 's/^[0-9]+ +([a-z0-9_]+)\(.*/\1/p' | sort -u >"$work/called"
[ "$(wc -l <"$work/called")" -gt 30 ] || { echo "strace saw next to nothing: $(cat "$work/called")"; exit 1; }
refused=$(comm -23 "$work/called" "$work/allowed" | paste -sd' ')
# What it is started with: systemd does that, before the filter.
refused=$(tr ' ' '\n' <<<"$refused" | grep -vx execve | paste -sd' ' || true)
if [ -n "$refused" ]; then
    echo "the filter of $unit refuses what usherd calls: $refused"
    exit 1
fi
echo "ok    the filter lets through all $(wc -l <"$work/called") system calls that usherd makes"
