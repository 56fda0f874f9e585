#!/usr/bin/env bash
# usage: completion_test.sh BIN WORK: what the shells complete, by the scripts that usherctl in BIN makes.
set -euo pipefail
export LC_ALL=C
usherctl=$1/usherctl work=$2
rm -rf "$work"
mkdir -p "$work"
faults=0
fault() { echo "$*"; faults=1; }

"$usherctl" completion bash >"$work/bash"
# shellcheck disable=SC1091
source "$work/bash"
complete -p usherctl >/dev/null || fault 'bash does not know who completes usherctl'

# What bash offers after these words; the last one is being typed.
offered() {
    COMP_WORDS=(usherctl "$@")
    COMP_CWORD=$#
    COMPREPLY=()
    _usherctl
    printf '%s\n' "${COMPREPLY[@]}" | sort
}
expect() { # EXPECTED WORD...
    local answer
    answer=$(offered "${@:2}" | paste -sd' ')
    [ "$answer" = "$1" ] || fault "usherctl ${*:2}<TAB>: offered '$answer', expected '$1'"
}

# Each command and each option that --help names, and nothing else.
commands() {
    awk '/^(look|act|data|check) / { for (i = 2; i <= NF; ++i) print $i }
         /^Subcommands:/ { inside = 1; next }
         /^[^ ]/ { inside = 0 }
         inside && /^  [a-z]/ { print $1 }'
}
walk() { # COMMAND...
    local help all below
    help=$("$usherctl" "$@" --help)
    all=$(commands <<<"$help" | sort | paste -sd' ')
    if [ -n "$all" ]; then expect "$all" "$@" ''; fi
    if [ $# -gt 0 ]; then
        # Those of the program are understood behind a command too.
        all=$({ sed -nE 's/^  ((-[a-zA-Z]),)?(--[a-z-]+).*/\2\n\3/p' <<<"$help"; printf '%s\n' --config --db --json --local; } |
            grep . | sort -u | paste -sd' ')
        expect "$all" "$@" -
    fi
    for below in $all; do
        case $below in -*) ;; *) walk "$@" "$below" ;; esac
    done
}
walk

cd "$work"
mkdir folder
touch meetings.csv 'more meetings.csv'
expect 'meetings.csv' import --meetings mee
expect 'meetings.csv' import --meetings = mee
expect 'more meetings.csv' import --prune --participants mo
expect 'meetings.csv' backup mee
expect 'folder' --config fo
expect '' rotate --project ''
expect 'bash fish zsh' completion ''
expect 'reload replace-session requests restore retry' re
expect '--project' rotate --pr
expect 'abort' requests ab
expect 'rotate' --db file ro

for shell in zsh fish; do
    "$usherctl" completion "$shell" >"$work/$shell"
    [ -s "$work/$shell" ] || fault "nothing is made for $shell"
    if command -v "$shell" >/dev/null; then
        "$shell" --no-exec "$work/$shell" || fault "$shell cannot read its script"
    else
        echo "$shell is not installed: its script is not tried"
    fi
    # Each command and option is in it, with its text.
    "$usherctl" --help | commands | while read -r command; do
        grep -q "[' ]$command[: ]" "$work/$shell" || echo "$shell lacks $command"
    done >"$work/lacking"
    [ ! -s "$work/lacking" ] || fault "$(cat "$work/lacking")"
done
grep -q -- "--dry-run\[Write nothing" "$work/zsh" || fault 'zsh does not tell what import --dry-run is for'
grep -q -- "-l dry-run -d 'Write nothing" "$work/fish" || fault 'fish does not tell what import --dry-run is for'

status=0
"$usherctl" completion tcsh >"$work/out" 2>&1 || status=$?
[ "$status" -eq 2 ] || fault "of an unknown shell the exit status is $status"
cd /
rm -rf "$work"
exit "$faults"
