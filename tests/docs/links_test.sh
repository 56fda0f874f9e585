#!/usr/bin/env bash
# usage: links_test.sh [--installed] ROOT: each link in README.md, CONTRIBUTING.md, CHANGELOG.md and docs/ leads to a file
# of the tree, and to a heading in it where it names one; each page of docs/ is in mkdocs.yml, and the other way round.
# --installed: ROOT has what a package installs, which is what is for those who use usher.
set -euo pipefail
export LC_ALL=C
is_source=true
if [ "${1:-}" = --installed ]; then
    is_source=false
    shift
fi
cd "$1"
failed=0
complain() { echo "$*"; failed=1; }

# As GitHub and mkdocs name them: lower case, punctuation out, blanks to hyphens.
anchors() { # FILE
    sed -nE '/^```/,/^```$/!s/^#+ +//p' "$1" | tr 'A-Z' 'a-z' | sed -E 's/`//g; s/[^a-z0-9 _-]//g; s/ /-/g'
}
checked=0
files=(README.md CHANGELOG.md docs/*.md)
! "$is_source" || files+=(CONTRIBUTING.md)
for file in "${files[@]}"; do
    while IFS=: read -r line link; do
        case $link in http://* | https://* | mailto:*) continue ;; esac
        checked=$((checked + 1))
        target=${link%%#*}
        path=$file
        [ -z "$target" ] || path=$(dirname "$file")/$target
        case $target in CONTRIBUTING.md | ../CONTRIBUTING.md | LICENSE | systemd/) "$is_source" || continue ;; esac
        if [ ! -e "$path" ]; then
            complain "$file:$line: $link leads nowhere"
        elif [[ $link = *#* ]] && ! anchors "$path" | grep -qxF -- "${link#*#}"; then
            complain "$file:$line: $path has no heading ${link#*#}"
        fi
    done < <(awk '/^```/ { inside = !inside } !inside { text = $0
        while (match(text, /\]\([^) ]+\)/)) { print FNR ":" substr(text, RSTART + 2, RLENGTH - 3); text = substr(text, RSTART + RLENGTH) } }' "$file")
done
[ "$checked" -gt 50 ] || complain "only $checked links were found"

"$is_source" || exit "$failed"
for page in docs/*.md; do
    grep -qE ": ${page#docs/}\$" mkdocs.yml || complain "mkdocs.yml lacks $page"
done
while read -r page; do
    [ -e "docs/$page" ] || complain "mkdocs.yml names $page, which is not there"
done < <(sed -nE 's/^ +- .*: ([a-z-]+\.md)$/\1/p' mkdocs.yml)
exit "$failed"
