#!/usr/bin/env bash
# usage: reference_test.sh ROOT BIN           compares what the docs of ROOT list with the sources and programs, both ways
#        reference_test.sh --self-test ROOT BIN WORK   plants faults in a copy, and expects each to be found
set -euo pipefail
export LC_ALL=C

if [ "$1" = --self-test ]; then
    root=$2 bin=$3 work=$4
    copy() {
        rm -rf "$work"
        mkdir -p "$work"
        (cd "$root" && cp -r README.md docs config schema lib daemon examples systemd "$work")
    }
    copy
    "$0" "$work" "$bin" || { echo "found something in an innocent copy"; exit 1; }

    faults=0
    complaints=()
    plant() { # FILE SED_EXPRESSION COMPLAINT
        cp "$work/$1" "$work/before"
        sed -i "$2" "$work/$1"
        if cmp -s "$work/before" "$work/$1"; then
            echo "nothing was planted in $1 by: $2"
            faults=1
        fi
        complaints+=("$3")
    }
    plant docs/reference.md 's/`ends_at_must_be_after_starts_at`/`ends_at_must_be_later`/' \
        'the docs lack: meeting ends_at_must_be_after_starts_at'
    plant schema/0001_initial.sql 's/id_must_not_change/id_must_remain/' 'only the docs have: block id_must_not_change'
    plant docs/reference.md 's/^| `ended` |/| `over` |/' 'states: the docs lack: ended'
    plant docs/reference.md 's/`too_many_participants`/`crowded`/' 'the docs lack: too_many_participants'
    plant docs/reference.md 's/`session_kept` |/`session_held` |/' 'only the docs have: session_held'
    plant docs/reference.md 's/`before_door`, and/and/' 'reasons in participant_status: the docs lack: before_door'
    plant docs/reference.md 's/`layout_class_invalid`, //' 'the docs lack: layout_class_invalid'
    plant docs/reference.md 's/^| 2 | `issued`/| 1 | `issued`/' 'only the docs have: 1 issued'
    plant docs/reference.md 's/`looked_at`, `seq`/`seq`/' 'the docs lack: usher_status looked_at'
    plant config/usher.example.yaml 's/^  grace:/  delay:/' 'config/usher.example.yaml lacks: tokens.grace'
    plant config/usher.example.yaml 's/# burst:/# bursts:/' 'only config/usher.example.yaml has: projects.bursts'
    plant docs/reference.md 's/`--once`, //' 'the docs lack: usherd --once'
    plant docs/reference.md 's/`--prune`/`--delete`/' 'only the docs have: usherctl import --delete'
    plant config/usher.example.yaml '3s/`usherd --check-config[^`]*`/`usherctl check-file`/' 'there is no: usherctl check-file'
    plant README.md 's/`usherctl decode`/`usherctl decode --loud`/' 'there is no: usherctl decode --loud'
    plant docs/log.md 's/`task failed, usherd ends`/`task has failed`/' 'log events: docs/log.md lacks: task.failed error task failed, usherd ends'
    plant docs/log.md 's/^| `pass.done`/| `pass.over`/' 'log events: only docs/log.md has: pass.over info published'
    plant docs/log.md 's/| check NTP; /| look at the clock; /' 'ways out: docs/log.md lacks: clock.stepped check NTP; '
    plant docs/log.md 's/`f53d877d582d42d490a95544a11d06dd`/`053d877d582d42d490a95544a11d06dd`/' \
        'ids of log events: docs/log.md lacks: config.taken f53d877d582d42d490a95544a11d06dd'
    plant docs/log.md 's/^| `next_at` | when/| `next_at` | if/' 'log fields: docs/log.md lacks: next_at when usherd does it again'
    plant systemd/usher.catalog 's/^-- 06663e1c/-- 16663e1c/' 'systemd/usher.catalog lacks: -- 06663e1c407248b8b26bdaeefb3f624c'
    plant systemd/usher.catalog 's/^Check NTP/Look at the clock/' 'only systemd/usher.catalog has: Look at the clock'
    plant docs/reference.md 's/^| `1` | could not/| `3` | could not/' 'exit statuses: the docs lack: 1 could not'
    plant docs/reference.md 's/^| `aborted` |/| `stopped` |/' 'states of requests: the docs lack: aborted'
    plant lib/src/store/sqlite/request_book.cpp "0,/state = 'filed'/s//state = 'fresh'/" 'states of requests in SQL: only SQL has: fresh'
    plant docs/reference.md 's/`another usherd is at work on it`/`another usherd works on it`/' \
        'what ends the daemon: only the docs have: another usherd works on it'
    plant daemon/app.cpp 's/"wal.kept"_event/"store.free"_event/' 'log events: never said: wal.kept'
    plant docs/reference.md 's/^## Following changes/## Requests/' 'docs/reference.md: is there twice: ## Requests'
    plant docs/clients.md 's/examples\/clients\/shell.sh/examples\/clients\/sh.sh/' 'the docs lack: shell.sh'

    status=0
    output=$("$0" "$work" "$bin" 2>&1) || status=$?
    if [ "$status" -eq 0 ]; then
        echo "it does not fail"
        faults=1
    fi
    for complaint in "${complaints[@]}"; do
        if ! grep -qF -- "$complaint" <<<"$output"; then
            echo "not found: $complaint"
            faults=1
        fi
    done
    [ "$faults" -eq 0 ] || printf '%s\n' 'said:' "$output"
    rm -rf "$work"
    exit "$faults"
fi

root=$1 bin=$2
cd "$root"
words() { sed -n "s/^$1 //p" "$work/words"; } # KIND: what the program prints of it
reference=docs/reference.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$bin/usherd" --words >"$work/words"
faults=0

# compare WHAT PROGRAM_LIST DOCS_LIST [DOCS]: names what only one of them has. Lists that are empty hold nothing up.
compare() {
    local what=$1 program=$2 docs=$3 where=${4:-the docs}
    [ -s "$program" ] || { echo "$what: nothing was found in the program; mend $0"; faults=1; }
    sort -u -o "$program" "$program"
    sort -u -o "$docs" "$docs"
    local verb=lack has=have
    [ "$where" = 'the docs' ] || verb=lacks has=has
    comm -23 "$program" "$docs" | sed "s|^|$what: $where $verb: |" >"$work/lacking"
    comm -13 "$program" "$docs" | sed "s|^|$what: only $where $has: |" >>"$work/lacking"
    if [ -s "$work/lacking" ]; then
        cat "$work/lacking"
        faults=1
    fi
}

section() { # TITLE: its lines in the reference, up to the next title
    awk -v title="## $1" '/^## / { inside = $0 == title } inside' "$reference"
}
# Of each row of a table, KEY and each `name` of column N: the key is the first `name` of the row, or nothing.
cells() { # N [with_key]
    awk -F'|' -v n="$(($1 + 1))" -v key="${2:-}" '/^\| / {
        first = $2; sub(/^[^`]*`/, "", first); sub(/`.*/, "", first)
        text = $n
        while (match(text, /`[^`]+`/)) {
            name = substr(text, RSTART + 1, RLENGTH - 2)
            print (key == "" ? "" : first " ") name
            text = substr(text, RSTART + RLENGTH)
        }
    }'
}

# CHECKs and what triggers refuse, by table.
awk '/^CREATE TABLE/ { table = $3 }
     /^CREATE TRIGGER/ { split($3, part, "_"); table = part[2] }
     { text = $0
       while (match(text, /(CONSTRAINT |RAISE\(ABORT, .)[a-z0-9_]+/)) {
           name = substr(text, RSTART, RLENGTH); sub(/.*[^a-z0-9_]/, "", name); print table " " name
           text = substr(text, RSTART + RLENGTH) } }' schema/0001_initial.sql >"$work/program"
section 'What is refused at the INSERT' | cells 2 with_key >"$work/docs"
compare 'CHECK names' "$work/program" "$work/docs"

words state >"$work/program"
section 'States and reasons' | awk '/^`participant_status`/ { over = 1 } !over' | cells 1 >"$work/docs"
compare 'states' "$work/program" "$work/docs"
sed -n '/^States: /,/^$/p' README.md | grep -oE '`[a-z]+`' | tr -d '`' >"$work/docs"
compare 'states in README.md' "$work/program" "$work/docs"

# A meeting's reasons: what the planner assigns or hands on, and what a call can fail with.
{
    grep -vE 'return .*"|unusable = ' lib/src/core/plan.cpp | grep -oE '"[a-z]+(_[a-z]+)+"' | tr -d '"'
    sed -n 's/.*reason = "\([a-z_]*\)".*/\1/p' lib/src/core/plan.cpp
    cat lib/src/provider/vendor_wire.cpp lib/src/service/session_maker.cpp | tr '\n' ' ' |
        grep -oE '(FailureKind::[a-z]+|[{(?:] *kind), *"[a-z_]+"' | sed 's/.*"\(.*\)"/\1/'
} | grep -vx unknown_role >"$work/program"
section 'States and reasons' | awk '/^`participant_status`/ { over = 1 } !over' | cells 2 >"$work/docs"
compare 'reasons of a meeting' "$work/program" "$work/docs"

# Every word that participant_status gives as a reason is in the sentences below the table.
grep '^CREATE VIEW participant_status' schema/0001_initial.sql | sed 's/.* END AS state//; s/ END AS reason.*//' |
    grep -oE "(THEN|ELSE) '[a-z_]+'" | grep -oE '[a-z_]+' >"$work/program"
section 'States and reasons' | sed -n '/^`participant_status`/,/^$/p' | grep -oE '`[a-z_]+`' | tr -d '`' |
    grep -vxE 'participant_(status|problem)' >"$work/docs"
compare 'reasons in participant_status' "$work/program" "$work/docs"

{
    sed -n 's/.*Errc::[a-z0-9_]*: return "\(connection_data[a-z0-9_]*\|layout_class[a-z0-9_]*\)".*/\1/p' lib/src/core/failure.cpp
    tr '\n' ' ' <lib/src/core/plan.cpp | grep -oE 'Problem\{ *[a-z]+, "[a-z_]+"' | grep -oE '"[a-z_]+"' | tr -d '"'
} >"$work/program"
section 'States and reasons' | sed -n '/^`participant_problem.reason`/,/^$/p' | grep -oE '`[a-z0-9_]+`' | tr -d '`' >"$work/docs"
compare 'reasons in participant_problem' "$work/program" "$work/docs"

grep '^INSERT INTO token_reason' schema/0001_initial.sql | grep -oE "[0-9]+, '[a-z_]+'" | sed "s/, '/ /; s/'//" >"$work/program"
section 'States and reasons' | sed -n 's/^| \([0-9]*\) | `\([a-z_]*\)`.*/\1 \2/p' >"$work/docs"
compare 'reasons of tokens' "$work/program" "$work/docs"

grep '^CREATE VIEW' schema/0001_initial.sql | while read -r _ _ view rest; do
    grep -oE ' AS [a-z_]+(,| FROM)' <<<"$rest" | sed "s/ AS \([a-z_]*\).*/$view \1/"
done >"$work/program"
section 'Views' | cells 2 with_key >"$work/docs"
compare 'columns of views' "$work/program" "$work/docs"

words key >"$work/program"
# The example has the keys of a project below its name; those that are not set stand behind a hash.
awk '/^[a-z_]+:/ { top = $1; sub(/:.*/, "", top); print top }
     /^  [a-z_]+:/ && top != "projects" { name = $1; sub(/:.*/, "", name); print top "." name }
     /^  # [a-z_]+: / && top == "status" { name = $2; sub(/:.*/, "", name); print top "." name }
     /^    (# )?[a-z_]+: / && top == "projects" { name = $1 == "#" ? $2 : $1; sub(/:.*/, "", name); print "projects." name }
    ' config/usher.example.yaml >"$work/docs"
compare 'configuration' "$work/program" "$work/docs" config/usher.example.yaml

# Commands with their options, as --help lists them; those that each command has are told once.
options() { sed -n 's/^  \(-[a-zA-Z],\)\{0,1\}\(--[a-z-]*\).*/\2/p' | grep -vxE -e '--help|--json|--local' || true; }
commands() {
    # The first help may list them by what they are for.
    awk '/^(look|act|data|check) / { for (i = 2; i <= NF; ++i) print $i }
         /^Subcommands:/ { inside = 1; next }
         /^[^ ]/ { inside = 0 }
         inside && /^  [a-z]/ { print $1 }'
}
: >"$work/commands"
list() { # PROGRAM [COMMAND...]: its lines, and those of the commands below it
    local help
    help=$("$bin/$1" "${@:2}" --help)
    echo "$*" >>"$work/commands"
    options <<<"$help" | sed "s/^/$* /"
    local below
    for below in $(commands <<<"$help"); do
        echo "$* $below"
        list "$@" "$below"
    done
}
{ list usherd; list usherctl; } >"$work/all"
grep -vE '^usherctl --' "$work/all" >"$work/program"
{
    section Commands | cells 2 with_key
    section Commands | cells 1 | grep -vx usherd
} >"$work/docs"
cp "$work/docs" "$work/documented"
compare 'commands and options' "$work/program" "$work/docs"

# What is quoted as a command anywhere is one, and has such options.
grep -ohE '`(usherctl|usherd) [^`]*`' README.md docs/*.md examples/*.md config/*.yaml | tr -d '`' | sort -u |
    while read -r program rest; do
        command=$program
        skip=
        for word in $rest; do
            if [ -n "$skip" ]; then
                skip=
                continue
            fi
            case $word in
            --config | --db) skip=yes ;;
            --json | --help | --local) ;;
            --*) grep -qE -- "^$command( .*)? $word$" "$work/all" || echo "quoted commands: there is no: $command $word" ;;
            esac
            if [ "$command" = usherctl ] && grep -qxE '[a-z][a-z-]*' <<<"$word"; then
                command="usherctl $word"
                grep -qx "$command" "$work/commands" || { echo "quoted commands: there is no: $command"; break; }
            fi
        done
    done >"$work/lacking"
if [ -s "$work/lacking" ]; then
    cat "$work/lacking"
    faults=1
fi

words exit >"$work/program"
section 'Signals and exit status' | sed -n 's/^| `\([0-9]*\)` | \(.*\) |$/\1 \2/p' >"$work/docs"
compare 'exit statuses' "$work/program" "$work/docs"

words request >"$work/program"
section Requests | sed '/^| `action`/,$d' | cells 1 | grep -vx state >"$work/docs"
compare 'states of requests' "$work/program" "$work/docs"
# SQL names them too.
{ grep request_result schema/0001_initial.sql; cat lib/src/store/sqlite/request_book.cpp lib/src/store/sqlite/request_desk.cpp; } |
    grep -oE "state (=|<>|IN) [(]?'[a-z]+'(, '[a-z]+')*" | grep -oE "'[a-z]+'" | tr -d "'" | sort -u >"$work/docs"
comm -13 <(words request | sort -u) "$work/docs" | sed 's/^/states of requests in SQL: only SQL has: /' >"$work/more"

# What the daemon says is in its table of events, which docs/log.md has as it is: name, level, text, what to do and id.
log=docs/log.md
events=$(sed -n 's/^| \(`[^`]*`\) | \(`[a-z]*`\) | \(`[^`]*`\) | \?\(.*\) | \(`[0-9a-f]*`\) |$/\1\t\2\t\3\t\4\t\5/p' "$log")
columns() { awk -F'\t' -v OFS=' ' "$1" <<<"$events" | sed 's/^`\([^`]*\)`/\1/'; }
words event | sed 's/^\([^ ]*\) \([^ ]*\) /\2 \1 /' >"$work/program"
columns '{ gsub(/`/, "", $2); gsub(/`/, "", $3); print $1, $2, $3 }' >"$work/docs"
compare 'log events' "$work/program" "$work/docs" "$log"
words way_out >"$work/program"
columns '$4 != "" { print $1, $4 }' >"$work/docs"
compare 'ways out' "$work/program" "$work/docs" "$log"
words message_id >"$work/program"
columns '{ gsub(/`/, "", $5); print $1, $5 }' >"$work/docs"
compare 'ids of log events' "$work/program" "$work/docs" "$log"
words field >"$work/program"
awk '/^## / { inside = $0 == "## Fields" } inside' "$log" | sed -n 's/^| `\([^`]*\)` | \(.*\) |$/\1 \2/p' >"$work/docs"
compare 'log fields' "$work/program" "$work/docs" "$log"

# The journal's catalogue says the same, and nothing else.
catalog() {
    words message_id | while read -r name id; do
        way_out=$(words way_out | sed -n "s/^$name //p")
        way_out=${way_out:-nothing has to be done}
        printf -- '-- %s\nSubject: usherd: %s\nDefined-By: usher\n' "$id" "$(words event | sed -n "s/^[a-z]* $name //p")"
        printf 'Documentation: file:///usr/share/doc/usher/docs/log.md\n\n%s.\n\n' "${way_out^}"
    done
}
catalog >"$work/catalog"
diff <(grep -v '^$' "$work/catalog") <(grep -vE '^#|^$' systemd/usher.catalog) |
    sed -n 's/^< /systemd\/usher.catalog lacks: /p; s/^> /only systemd\/usher.catalog has: /p' >>"$work/more" || true
cat lib/src/service/*.cpp daemon/*.cpp | grep -oE '"[a-z_.]+"_event' | sed 's/"_event//; s/"//' | sort -u >"$work/said"
comm -23 <(words event | cut -d' ' -f2 | sort -u) "$work/said" | sed 's/^/log events: never said: /' >>"$work/more"
# What ends it is said somewhere; the system's and SQLite's own words are not ours.
find lib/src daemon -name "*.cpp" -exec cat {} + | tr '\n' ' ' | sed 's/" *"//g' >"$work/sources"
section Log | sed '1,/^What ends the daemon/d' | cells 1 |
    grep -vxE 'disk I/O error|database or disk is full|Too many open files|Resource temporarily unavailable' |
    while read -r message; do
        grep -qF -- "$message" "$work/sources" || echo "what ends the daemon: only the docs have: $message"
    done >>"$work/more"
if [ -s "$work/more" ]; then
    cat "$work/more"
    faults=1
fi

# A merge can leave a section twice.
for page in README.md CONTRIBUTING.md docs/*.md; do
    [ ! -f "$page" ] || grep -E '^#+ ' "$page" | sort | uniq -d | sed "s|^|$page: is there twice: |"
done >"$work/more"
if [ -s "$work/more" ]; then
    cat "$work/more"
    faults=1
fi

# Each example client has its row.
(cd examples/clients && ls -- *.* | grep -v '\.json$') >"$work/program"
grep -oE '\.\./examples/clients/[A-Za-z_0-9.]+' docs/clients.md | sed 's|.*/||' >"$work/docs"
compare 'example clients' "$work/program" "$work/docs"

exit "$faults"
