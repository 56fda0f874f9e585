#!/usr/bin/env bash
# usage: man_test.sh ROOT BIN PAGES          compares the manual pages in PAGES with the programs in BIN, both ways
#        man_test.sh --self-test ROOT BIN PAGES WORK   plants faults in a copy, and expects each to be found
set -euo pipefail
export LC_ALL=C

if [ "$1" = --self-test ]; then
    root=$2 bin=$3 pages=$4 work=$5
    rm -rf "$work"
    mkdir -p "$work/root/debian"
    cp -r "$pages" "$work/pages"
    cp "$root/CHANGELOG.md" "$work/root"
    cp "$root/debian/changelog" "$work/root/debian"
    "$0" "$work/root" "$bin" "$work/pages" || { echo "found something in innocent copies"; exit 1; }
    complaints=()
    plant() { # FILE SED_EXPRESSION COMPLAINT
        cp "$work/$1" "$work/before"
        sed -i "$2" "$work/$1"
        ! cmp -s "$work/before" "$work/$1" || { echo "nothing was planted in $1 by: $2"; exit 1; }
        complaints+=("$3")
    }
    plant pages/usherctl.1 's/^\.SS "init"/.SS "begin"/' 'usherctl.1: the page lacks: usherctl init'
    plant pages/usherctl.1 's/\\fB\\-\\-prune/\\fB\\-\\-delete/' 'usherctl.1: only the page has: usherctl import --delete'
    plant pages/usherctl.1 's/^\.TH USHERCTL/.ZZ USHERCTL/' 'usherctl.1: man says'
    plant pages/usherd.8 's/^\.B \\-\\-once/.B \\-\\-twice/' 'usherd.8: the page lacks: usherd --once'
    plant pages/usher.yaml.5 's/^\.B tokens\.grace:/.B tokens.delay:/' 'usher.yaml.5: only the page has: tokens.delay'
    plant pages/usher-contract.7 's/", " closes_at/", " ends_at/' 'usher-contract.7: the page lacks: join_credential closes_at'
    plant pages/usher-contract.7 's/^\.SS block/.SS ban/' 'usher-contract.7: only the page has: ban reason'
    plant root/CHANGELOG.md '0,/^## [0-9.]*/s//## 9.9.9/' 'version: CHANGELOG.md says 9.9.9'
    plant root/debian/changelog '1s/(.*)/(9.9.8)/' 'version: debian/changelog says 9.9.8'
    status=0
    output=$("$0" "$work/root" "$bin" "$work/pages" 2>&1) || status=$?
    faults=0
    [ "$status" -ne 0 ] || { echo "it does not fail"; faults=1; }
    for complaint in "${complaints[@]}"; do
        [[ $complaint != *'man says' ]] || command -v man >/dev/null || continue
        grep -qF -- "$complaint" <<<"$output" || { echo "not found: $complaint"; faults=1; }
    done
    [ "$faults" -eq 0 ] || printf '%s\n' 'said:' "$output"
    rm -rf "$work"
    exit "$faults"
fi

root=$1 bin=$2 pages=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
faults=0

compare() { # PAGE PROGRAM_LIST PAGE_LIST
    [ -s "$2" ] || { echo "$1: nothing was found in the program; mend $0"; faults=1; }
    comm -23 <(sort -u "$2") <(sort -u "$3") | sed "s|^|$1: the page lacks: |" >"$work/lacking"
    comm -13 <(sort -u "$2") <(sort -u "$3") | sed "s|^|$1: only the page has: |" >>"$work/lacking"
    [ ! -s "$work/lacking" ] || { cat "$work/lacking"; faults=1; }
}

# As --help tells them; those that each command has are told once.
options() { sed -nE 's/^  (-[a-zA-Z],)?(--[a-z-]+).*/\2/p' <<<"$1"; }
commands() {
    awk '/^(look|act|data|check) / { for (i = 2; i <= NF; ++i) print $i }
         /^Subcommands:/ { inside = 1; next }
         /^[^ ]/ { inside = 0 }
         inside && /^  [a-z]/ { print $1 }' <<<"$1"
}
list() { # usherctl [COMMAND...]
    local help below
    help=$("$bin/usherctl" "${@:2}" --help)
    if [ $# -gt 1 ]; then
        echo "$*"
        options "$help" | grep -vxE -e '--(help|json|local|config|db)' | sed "s/^/$* /" || true
    fi
    for below in $(commands "$help"); do list "$@" "$below"; done
}
list usherctl >"$work/program"
sed 's/\\-/-/g' "$pages/usherctl.1" | awk '
    /^\.SH COMMANDS/ { inside = 1; next }
    /^\.SH / { inside = 0 }
    !inside { next }
    /^\.SS / {
        command = "usherctl"
        gsub(/^\.SS |"/, "")
        for (i = 1; i <= NF; ++i) if ($i ~ /^[a-z-]+$/ && $i != "bash|zsh|fish") command = command " " $i
        print command
    }
    /^\\fB--/ { name = $0; sub(/^\\fB/, "", name); sub(/\\fR.*/, "", name); print command " " name }' >"$work/page"
compare usherctl.1 "$work/program" "$work/page"

tags() { # FILE SECTION: what stands behind .TP there, with the subsection before it
    sed 's/\\-/-/g' "$1" | awk -v section="$2" '
        /^\.SH / { title = $0; gsub(/^\.SH |"/, "", title); inside = title ~ section; next }
        !inside { next }
        /^\.SS / { sub(/^\.SS /, ""); print; subsection = $0 " "; next }
        /^\.T[PQ]$/ { getline; gsub(/^\.[A-Z]+ |"|,|\\f[BR]/, ""); print subsection $0 }'
}
options "$("$bin/usherd" --help)" | sed 's/^/usherd /' >"$work/program"
tags "$pages/usherd.8" '^OPTIONS$' | grep -oE -e '--[a-z-]+' | sed 's/^/usherd /' >"$work/page"
compare usherd.8 "$work/program" "$work/page"

# A key that has others below it is one of them.
"$bin/usherd" --words | sed -n 's/^key //p' | grep -vxE 'sessions|tokens|log|status' >"$work/program"
tags "$pages/usher.yaml.5" '^KEYS$' | sed 's/:.*//; s/\.NAME\././' >"$work/page"
compare usher.yaml.5 "$work/program" "$work/page"

"$bin/usherctl" --db "$work/usher.db" init >/dev/null
sqlite3 "$work/usher.db" "SELECT m.name || ' ' || p.name FROM sqlite_schema m, pragma_table_info(m.name) p
    WHERE m.type = 'view' OR m.name IN ('meeting', 'participant', 'block', 'request')" >"$work/program"
tags "$pages/usher-contract.7" '(TABLES|VIEWS)' |
    awk 'NF > 1 { for (i = 2; i <= NF; ++i) print $1 " " $i }' >"$work/page"
compare usher-contract.7 "$work/program" "$work/page"

# What man itself complains about.
if command -v man >/dev/null; then
    for page in "$pages"/*.[0-9]; do
        LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>"$work/warnings" >/dev/null || true
        grep -q '^\.TH ' "$page" || echo "no title" >>"$work/warnings"
        [ ! -s "$work/warnings" ] || { sed "s|^|${page##*/}: man says: |" "$work/warnings"; faults=1; }
    done
else
    echo "man is not installed: nothing is known about the pages' layout"
fi

# One version everywhere.
version=$("$bin/usherctl" --version | sed -E 's/^usherctl ([0-9.]+), schema [0-9]+$/\1/')
says() { # WHO WHAT
    [ "$2" = "$version" ] || { echo "version: $1 says $2, and usherctl $version"; faults=1; }
}
says usherd "$("$bin/usherd" --version | sed -E 's/^usherd ([0-9.]+), schema [0-9]+$/\1/')"
says CHANGELOG.md "$(sed -nE 's/^## ([0-9.]+).*/\1/p' "$root/CHANGELOG.md" | sed -n 1p)"
says debian/changelog "$(sed -nE '1s/.*\((.*)\).*/\1/p' "$root/debian/changelog")"
for page in "$pages"/*.[0-9]; do
    says "${page##*/}" "$(sed -nE 's/^\.(TH|ZZ) .*"usher ([0-9.]+)".*/\2/p' "$page")"
done

exit "$faults"
