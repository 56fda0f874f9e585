#!/usr/bin/env bash
# usage: commands_test.sh ROOT BIN WORK [FILE...]   runs each block of commands, SQL and configuration in README.md and docs/
#        commands_test.sh --system ROOT BIN WORK FILE...   those that ask for a Debian of their own, as root
#        commands_test.sh --self-test BIN WORK   plants blocks that fail, and expects each to be found
# A file's blocks are run in their order, in a folder of the file's own. What a reader runs in another terminal, usherd
# that is, goes on beside them. A block that cannot be run has a comment in the line before it, with the reason:
#   <!-- in: system -->   <!-- in: no test: it needs an account at the vendor -->
set -euo pipefail
export LC_ALL=C

if [ "$1" = --self-test ]; then
    mkdir -p "$3/root/docs"
    failed=0
    try() { # COMPLAINT BLOCK: the file is its only one
        printf '%b' "$2" >"$work/docs/planted.md"
        if "$0" "$work" "$bin" "$work/run" docs/planted.md >"$work/said" 2>&1 || ! grep -qF "$1" "$work/said"; then
            echo "not found: $1"
            cat "$work/said"
            failed=1
        fi
    }
    bin=$2 work=$3/root
    try 'planted.md:2: failed' '\n```sh\nfalse\ntrue\n```\n'
    try 'planted.md:1: failed' '```sh\nusherctl --db usher.db status\n```\n'
    try 'its SELECT finds nothing' '```sql\nSELECT token FROM join_credential;\n```\n'
    try 'no column named start' '```sql\nINSERT INTO meeting (id, start) VALUES (1, 1);\n```\n'
    try 'unknown key' '```yaml\ntokens: {leed: 1h}\n```\n'
    try 'unknown kind: bash' '```bash\ntrue\n```\n'
    try 'a block that is indented' 'Run\n\n    usherctl status\n'
    try 'a block without an end' '```sh\ntrue\n'
    try 'expected <!-- in: system -->' '<!-- in: no test -->\n```sh\ntrue\n```\n'
    exit "$failed"
fi

in=here
if [ "$1" = --system ]; then
    in=system
    shift
fi
root=$(cd "$1" && pwd)
bin=$(cd "$2" && pwd)
mkdir -p "$3"
work=$(cd "$3" && pwd)
shift 3
if [ $# -gt 0 ]; then files=("$@"); else files=(README.md $(cd "$root" && ls docs/*.md)); fi
export PATH=$bin:$PATH
pid_file=$work/usherd.pid # of the one that goes on beside the blocks
export pid_file
stop_daemon() {
    [ -e "$pid_file" ] || return 0
    local pid
    pid=$(cat "$pid_file")
    rm -f "$pid_file"
    kill "$pid" 2>/dev/null || return 0
    for _ in $(seq 200); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1 # polls a process
    done
    kill -KILL "$pid"
}
stop_daemon
trap stop_daemon EXIT

# LINE KIND IN REASON, one line a block, and the block in FOLDER/LINE.
blocks() { # FILE FOLDER
    awk -v folder="$2" -v file="$1" '
        function complain(what) { print file ":" FNR ": " what >"/dev/stderr"; bad = 1 }
        /^```/ {
            if (open) { open = 0; close(out); print first, kind, where, reason; where = "here"; reason = ""; next }
            open = 1
            first = FNR
            kind = substr($0, 4)
            if (kind == "") kind = "text"
            if (kind !~ /^(sh|sql|yaml|ini|text|cpp|promql|cmake)$/) complain("a block of an unknown kind: " kind)
            out = folder "/" first
            printf "" >out
            next
        }
        open { print >out; next }
        /^<!-- in: / {
            where = "none"
            if ($0 == "<!-- in: system -->") where = "system"
            else if ($0 ~ /^<!-- in: no test: .+ -->$/) { reason = $0; gsub(/^<!-- in: no test: | -->$/, "", reason) }
            else complain("expected <!-- in: system --> or <!-- in: no test: REASON -->")
            next
        }
        { where = "here"; reason = "" }
        /^    [^ ]/ && before == "" { complain("a block that is indented: put it between ``` and say what it is") }
        { before = $0 }
        END { if (open) complain("a block without an end"); exit bad }
        BEGIN { where = "here" }' "$root/$1"
}

usherd() {
    case " $* " in
    *' --once '* | *' --check-config '* | *' --version '* | *' --words '*)
        command usherd "$@"
        return
        ;;
    esac
    stop_daemon
    rm -f usherd.log
    setsid "$(type -P usherd)" "$@" >/dev/null 2>usherd.log </dev/null &
    echo $! >"$pid_file"
    for _ in $(seq 200); do
        ! grep -q ' ready who=' usherd.log || return 0
        kill -0 "$(cat "$pid_file")" 2>/dev/null || break
        sleep 0.1 # polls a process
    done
    cat usherd.log
    return 1
}
# A question that a terminal would ask is answered.
usherctl() {
    case " $* " in
    *' backup '* | *' restore '*) command usherctl "$@" --yes ;;
    *) command usherctl "$@" ;;
    esac
}
export -f usherd usherctl stop_daemon

# A database to try SQL on, where the file has not made one itself.
database() {
    if [ ! -e usher.db ]; then
        [ -e usher.yaml ] || printf 'database: usher.db\nprojects: {default: {provider: sandbox}}\n' >usher.yaml
        command usherctl --config usher.yaml init >/dev/null || return 1
    fi
    [ -e "$pid_file" ] || usherd --config usher.yaml
}
settled() {
    for _ in $(seq 200); do
        [ "$(sqlite3 -cmd '.timeout 5000' usher.db "SELECT count(*) FROM meeting_status WHERE state = 'pending'")" != 0 ] ||
            return 0
        sleep 0.1 # polls a process
    done
    echo "meetings stay pending"
    return 1
}

run_sh() { bash -euo pipefail "$1"; }
run_sql() {
    database || return 1
    sqlite3 -bail -cmd '.timeout 5000' -cmd '.param set :last 0' -cmd '.param set :id 1' usher.db <"$1" >answer || return 1
    if grep -q '^SELECT' "$1" && [ ! -s answer ]; then
        echo "its SELECT finds nothing"
        return 1
    fi
    cat answer
    settled
}
run_yaml() {
    if grep -q '^database:' "$1"; then # a platform of its own begins
        stop_daemon
        rm -rf ./*
        cp "$1" usher.yaml
        command usherd --config usher.yaml --check-config
        return
    fi
    {
        echo 'database: usher.db'
        grep -q '^projects:' "$1" || echo 'projects: {default: {provider: sandbox}}'
        cat "$1"
    } >fragment.yaml
    command usherd --config fragment.yaml --check-config
}

failed=0
ran=0
left_out=()
for file in "${files[@]}"; do
    name=$(basename "$file" .md)
    texts=$work/$name.blocks
    rm -rf "$texts" "${work:?}/$name"
    mkdir -p "$texts" "$work/$name"
    blocks "$file" "$texts" >"$texts/list" || failed=1
    # In a Debian of their own they are run where the packages are.
    [ "$in" = system ] || cd "$work/$name"
    while read -r line kind where reason; do
        case $kind in sh | sql | yaml) ;; *) continue ;; esac
        if [ "$where" = none ]; then
            left_out+=("$file:$line: $reason")
            continue
        fi
        [ "$where" = "$in" ] || continue
        ran=$((ran + 1))
        if ! "run_$kind" "$texts/$line" >"$work/output" 2>&1 </dev/null; then
            echo "$file:$line: failed:"
            sed 's/^/    /' "$work/output"
            failed=1
            break
        fi
    done <"$texts/list"
    stop_daemon
done
if [ ${#left_out[@]} -gt 0 ]; then
    printf 'left out: %s\n' "${left_out[@]}"
fi
echo "$ran blocks ran"
[ "$ran" -gt 0 ] || failed=1
exit "$failed"
