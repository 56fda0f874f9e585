# What the scenarios share; each sources this, and is run by script/bench, which sets:
#   USHER_BENCH_BIN   the folder of usherd, usherctl, usher-vendor, usher-bench and usher_micro
#   USHER_BENCH_SIZE  full, quick or smoke
# A scenario has the folder $work for itself, and prints what it measured with `result`.
set -euo pipefail

bin=$USHER_BENCH_BIN
work=$(mktemp -d)
daemon=
daemons=()
vendor=
clean_up() {
    [ -z "$daemon" ] || kill "$daemon" "${daemons[@]}" 2>/dev/null || true
    [ -z "$vendor" ] || kill "$vendor" 2>/dev/null || true
    wait
    rm -rf "$work"
    [ ! -t 2 ] || printf '\r\033[K' >&2
}
trap clean_up EXIT

fail() {
    echo "bench/$(basename "$0"): $1" >&2
    [ ! -s "$work/log" ] || tail -n 20 "$work/log" >&2
    exit 1
}

result() { # ID NAME VALUE UNIT LOWEST HIGHEST; LOWEST or HIGHEST may be empty
    awk -v id="$1" -v name="$2" -v value="$3" -v unit="$4" -v low="$5" -v high="$6" 'BEGIN {
        met = (low == "" || value >= low + 0) && (high == "" || value <= high + 0)
        target = low == "" ? "<= " high : high == "" ? ">= " low : low " to " high
        printf "%s\t%s\t%.4g\t%s\t%s\t%s\n", id, name, value, unit, target, met ? "yes" : "no"
    }'
}

median() { # of the numbers on standard input, one a line
    sort -g | awk '{ all[NR] = $1 } END { print NR % 2 ? all[(NR + 1) / 2] : (all[NR / 2] + all[NR / 2 + 1]) / 2 }'
}

calculate() { awk "BEGIN { print $1 }"; }

install_peers() { # what usher is compared with, from npm; without make and python3, all but what has to be compiled
    (cd "$(dirname "${BASH_SOURCE[0]}")/peers" && { npm ci || npm ci --ignore-scripts; }) >"$work/log" 2>&1
}

progress() { [ ! -t 2 ] || printf '\r\033[K%s: %s\r' "$(basename "$0")" "$1" >&2; }

start_vendor() { # LATENCY_MS [OPTION...]
    head -c 20 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$work/secret"
    chmod 600 "$work/secret"
    exec {vendor_output}< <(exec "$bin/usher-vendor" --dir "$work" --opentok "47665971:$work/secret" \
        --latency "$@")
    vendor=$!
    local line
    read -r line <&"$vendor_output" || fail "usher-vendor does not start"
    url=$(sqlite3 :memory: "SELECT json_extract('$line', '\$.url')")
}

stop_vendor() {
    kill "$vendor"
    wait "$vendor" || true
    vendor=
    exec {vendor_output}<&-
}

make_database() { # MEETINGS CONCURRENCY RATE BURST; all of them need a session now, and tokens much later
    cat >"$work/usher.yaml" <<YAML
database: $work/usher.db
projects:
  default:
    provider: opentok
    api_key: "47665971"
    api_secret: {file: $work/secret}
    base_url: $url
    ca_file: $work/ca.pem
    concurrency: $2
    rate: $3
    burst: $4
log: {level: warning}
YAML
    rm -f "$work"/usher.db*
    "$bin/usherctl" --config "$work/usher.yaml" init >/dev/null
    sqlite3 "$work/usher.db" "
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
        INSERT INTO meeting (id, starts_at, ends_at)
        SELECT 'meeting-' || i, strftime('%s', 'now') + 43200, strftime('%s', 'now') + 46800 FROM n"
}

# Runs usherd until all meetings have their session, stops it, and sets peak_kib to the most memory that it had.
run_usherd() { # MEETINGS
    local deadline=$((SECONDS + 120)) published=0
    "$bin/usherd" --config "$work/usher.yaml" 2>"$work/log" &
    daemon=$!
    while [ "$published" -lt "$1" ]; do
        [ "$SECONDS" -lt "$deadline" ] || fail "only $published of $1 sessions after two minutes"
        [ -e "/proc/$daemon/status" ] || fail "usherd ended by itself"
        sleep 0.2
        published=$(sqlite3 -cmd '.timeout 5000' "$work/usher.db" \
            "SELECT count(*) FROM agenda WHERE session_no IS NOT NULL")
    done
    peak_kib=$(awk '$1 == "VmHWM:" { print $2 }' "/proc/$daemon/status")
    kill "$daemon"
    wait "$daemon" || fail "usherd failed"
    daemon=
}

# Sets calls to how many session requests the stand-in has seen, and span_ms to the time from the first to the last.
ask_vendor() {
    local address=${url#https://}
    printf 'GET /_vendor/requests HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$address" |
        openssl s_client -quiet -verify_quiet -verify_return_error -CAfile "$work/ca.pem" -connect "$address" \
            >"$work/answer" 2>/dev/null || fail "the stand-in does not tell its requests"
    sed -n '$p' "$work/answer" >"$work/requests.json"
    read -r calls span_ms < <(sqlite3 -separator ' ' :memory: "
        SELECT count(*), max(json_extract(value, '\$.time_ms')) - min(json_extract(value, '\$.time_ms'))
          FROM json_each(readfile('$work/requests.json')) WHERE json_extract(value, '\$.status') = 200")
}

# What follows is for scenarios on a schedule whose tokens are all wanted at once (usher-bench fill).

measure() { # SUBCOMMAND...; what it prints is for `figure`
    "$bin/usher-bench" "$@" >"$work/figures" || fail "usher-bench $1 failed"
}

figure() { # NAME, of the last `measure`
    awk -v name="$1" '$1 == name { print $2; found = 1 } END { exit !found }' "$work/figures" ||
        fail "usher-bench did not print $1"
}

write_secret() { # TEXT; another one is a rotation
    printf '%s' "$1" >"$work/secret"
    chmod 600 "$work/secret"
}

write_config() { # PROJECT TOKENS_LEAD [LOG_LEVEL]; the life is longer than the schedule, so that nothing expires
    cat >"$work/usher.yaml" <<YAML
database: $work/usher.db
projects:
  default: {$1, max_token_life: 29d}
sessions: {lead: 25d}
tokens: {lead: $2}
log: {level: ${3:-error}}
YAML
}

make_schedule() { # MEETINGS EACH
    progress "writing the schedule"
    rm -f "$work"/usher.db*
    "$bin/usherctl" --config "$work/usher.yaml" init >/dev/null
    measure fill "$work/usher.db" --meetings "$1" --each "$2"
}

# A database that nobody has open, elsewhere and on the disk, so that writing the copy is not measured, nor the freeing
# of what was there before.
copy() { # FROM TO
    rm -f "$work/$2"*
    sync
    for of in '' .key .mark; do
        [ ! -e "$work/$1$of" ] || cp "$work/$1$of" "$work/$2$of" # there are none before the first usherd
    done
    sync
}

provision() { # under the configuration as it is
    progress "usherd --once"
    "$bin/usher-bench" run -- "$bin/usherd" --config "$work/usher.yaml" --once >"$work/figures" 2>"$work/log" ||
        fail "usherd --once failed"
}

# Needs LOG_LEVEL info. Returns when the daemon is ready and has nothing more to do, and sets `daemon`.
start_daemon() { # [NAME OF CONFIGURATION]
    progress "waiting for the daemon"
    : >"$work/log"
    "$bin/usherd" --config "$work/${1:-usher}.yaml" 2>>"$work/log" &
    daemon=$!
    daemons+=("$daemon")
    until grep -q ' ready ' "$work/log"; do
        [ -e "/proc/$daemon/status" ] || fail "usherd ended by itself"
        sleep 0.1
    done
    until measure idle "$daemon" --seconds 1 && [ "$(calculate "$(figure cpu_percent) < 1")" = 1 ]; do :; done
}

stop_daemons() {
    kill "${daemons[@]}"
    local process
    for process in "${daemons[@]}"; do
        wait "$process" || fail "usherd failed"
    done
    daemons=()
    daemon=
}

# The bytes of the table `token` on disk for each byte of a token.
token_bytes() {
    sqlite3 "$work/usher.db" "
        SELECT (SELECT sum(pgsize) FROM dbstat WHERE name = 'token') * 1.0 / (SELECT count(*) FROM token) /
               (SELECT avg(length(token)) FROM (SELECT token FROM join_credential LIMIT 10000))"
}
