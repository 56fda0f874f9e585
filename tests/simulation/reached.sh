#!/usr/bin/env bash
# usage: reached.sh: runs simulated months with gcov, and lists each catch, throw, error return and reason code of
# lib/src/service, lib/src/store and lib/src/provider that none of them reached. doors.txt has the files that the
# simulation replaces: there, their own tests count too. unreached.txt has the exceptions, ten at most, each with its
# reason. Whatever is missing there fails, and so does what is there though it is reached.
# USHER_REACHED_SEEDS says what is run.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
read -ra seeds <<<"${USHER_REACHED_SEEDS:-$(seq -s " " 64)}"
work=$root/build/reached
known=$here/unreached.txt
doors=$here/doors.txt
exceptions_max=10
export LC_ALL=C

cmake -S "$root" -B "$work" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS=--coverage \
    -DCMAKE_CXX_FLAGS_DEBUG='-O1 -g1' >/dev/null
mapfile -t programs < <(sed -nE 's/^lib[^|]*\| *([a-z_]+) *\|.*/\1/p' "$doors" | sort -u)
cmake --build "$work" --target usher-sim usherd usherctl usher-vendor "${programs[@]}" >"$work/build.log" ||
    { tail -n 40 "$work/build.log"; exit 1; }

# Counts begin anew.
forget() { find "$work" -name '*.gcda' -delete; }

# file:line:count:source, for each line that can be executed, with the highest of its counts.
lines() {
    find "$work/lib" -name '*.gcno' | sort | while read -r notes; do
        (cd "$work" && gcov --stdout "$notes" 2>/dev/null) || true
    done | awk -v root="$root/" '
        {
            if (split($0, field, ":") < 3)
                next
            count = field[1]
            line = field[2] + 0
            gsub(/[ *]/, "", count)
            text = substr($0, index($0, ":") + 1)
            text = substr(text, index(text, ":") + 1)
        }
        line == 0 {
            if (text ~ /^Source:/) {
                file = substr(text, 8)
                sub(/^(\.\.\/)+/, "", file)
                if (index(file, root) == 1)
                    file = substr(file, length(root) + 1)
            }
            next
        }
        file !~ /^lib\/src\/(service|store|provider)\// { next }
        {
            texts[file, line] = text
            if (!(file in last) || line > last[file])
                last[file] = line
            if (count == "-")
                next
            if (count ~ /^[#=]/)
                count = 0
            if (!((file, line) in counts) || count + 0 > counts[file, line])
                counts[file, line] = count + 0
        }
        END {
            for (file in last)
                for (line = 1; line <= last[file]; ++line)
                    print file ":" line ":" ((file, line) in counts ? counts[file, line] : "-") ":" texts[file, line]
        }' | sort -t: -k1,1 -k2,2n
}

# The reasons that meetings and people can have, as the reference lists them.
reasons() {
    sed -n '/^## States and reasons/,/^In `credential_history`/p' "$root/docs/reference.md" |
        sed -nE -e 's/^\| `[a-z]+` \|([^|]*)\|.*/\1/p' -e '/^`participant_problem.reason`/,/^$/p' |
        grep -oE '`[a-z]+(_[a-z]+)+`' | tr -d '`' | sort -u
}

# What is to be reached and was not: "file: source", without numbers, so that an edit elsewhere changes nothing. A line
# that is no statement of its own is judged by the one that it belongs to, a handler by its first statement.
unreached() {
    awk -v reasons="$(reasons | tr '\n' ' ')" '
        BEGIN {
            split(reasons, all, " ")
            for (i in all)
                is_reason[all[i]] = 1
        }
        {
            split($0, field, ":")
            files[NR] = field[1]
            counts[NR] = field[3]
            text = $0
            for (i = 0; i < 3; ++i)
                text = substr(text, index(text, ":") + 1)
            gsub(/^[ \t]+|[ \t]+$/, "", text)
            texts[NR] = text
        }
        function is_wanted(text) {
            if (text ~ /^\/\// || text ~ /namespace/ || text ~ /std::logic_error/) # of which each would be a bug
                return 0
            if (text ~ /catch \(/ || text ~ /(^|[^a-z_])throw[ ;]/ || text ~ /return (tl::unexpected|fail\()/)
                return 1
            if (!match(text, /"[a-z]+(_[a-z]+)+"/) || text ~ /_event|[=!]= "/)
                return 0
            return (substr(text, RSTART + 1, RLENGTH - 2) in is_reason) || text ~ /FailureKind::|give_up\(|end_disconnect\(/
        }
        END {
            for (i = 1; i <= NR; ++i) {
                if (!is_wanted(texts[i]))
                    continue
                judged = i
                if (texts[i] ~ /catch \(/) {
                    for (next_one = i + 1; next_one <= i + 4 && files[next_one] == files[i]; ++next_one) {
                        if (texts[next_one] ~ /^}/)
                            break
                        if (counts[next_one] != "-") {
                            judged = next_one
                            break
                        }
                    }
                } else if (counts[i] == "-") {
                    for (part = i; counts[part] == "-" && texts[part] !~ /;$/ && part < i + 5; ++part)
                        ;
                    if (counts[part] == "-" || files[part] != files[i])
                        for (part = i; counts[part] == "-" && part > i - 5; --part)
                            ;
                    judged = part
                }
                if (counts[judged] == "0")
                    print files[i] ": " texts[i]
            }
        }' | sort -u
}

# Of two lists of lines the higher counts; of the second one only the files at a door.
with_doors() {
    awk -F: '
        FILENAME == ARGV[1] { split($0, part, " "); at_door[part[1]] = 1; next }
        { key = $1 ":" $2 }
        FILENAME == ARGV[2] { line[key] = $0; count[key] = $3; order[++lines] = key; next }
        ($1 in at_door) && $3 != "-" && (!(key in count) || count[key] == "-" || $3 + 0 > count[key] + 0) {
            if (!(key in line))
                order[++lines] = key
            line[key] = $0
            count[key] = $3
        }
        END {
            for (i = 1; i <= lines; ++i)
                print line[order[i]]
        }' "$doors" "$1" "$2" | sort -t: -k1,1 -k2,2n
}

forget
# A violation is no matter here: script/check mutations and simulate see to it.
printf '%s\n' "${seeds[@]}" | xargs -P "$(nproc)" -I{} sh -c '"$0" --seed {} --days 20 >/dev/null || true' \
    "$work/bin/usher-sim"
lines >"$work/simulated.txt"
forget
# shellcheck disable=SC2016
printf '%s\n' "${programs[@]}" | (cd "$work" && xargs -P "$(nproc)" -I{} sh -c \
    'bin/"$1" >"$1.log" 2>&1 || echo "$1 fails here: see build/reached/$1.log"' sh {})
lines >"$work/tested.txt"
with_doors "$work/simulated.txt" "$work/tested.txt" >"$work/lines.txt"
if ! grep -qE '^lib/src/service/provisioning.cpp:[0-9]+:[1-9]' "$work/lines.txt"; then
    echo "nothing was counted: is gcov that of the compiler?"
    exit 1
fi
unreached <"$work/lines.txt" >"$work/unreached.txt"
# Of each exception the line, and below it, indented, the reason.
if ! awk '/^#|^$/ { next } /^  +[^ ]/ { told = 1; next } { if (place != "" && !told) exit 1; place = $0; told = 0 }
          END { if (place != "" && !told) exit 1 }' "$known"; then
    echo "tests/simulation/unreached.txt: each line needs a reason below it, indented"
    exit 1
fi
grep -vE '^(#|$|  )' "$known" | sort -u >"$work/known.txt" || true
new=$(comm -23 "$work/unreached.txt" "$work/known.txt")
gone=$(comm -13 "$work/unreached.txt" "$work/known.txt")
echo "$(wc -l <"$work/unreached.txt") places that no month reaches"
if [ -n "$new" ]; then
    echo "Not reached, and not in tests/simulation/unreached.txt: have the world lead there, or say there why not."
    echo "$new"
fi
if [ -n "$gone" ]; then
    echo "Reached, or gone: take it out of tests/simulation/unreached.txt."
    echo "$gone"
fi
if [ "$(wc -l <"$work/known.txt")" -gt "$exceptions_max" ]; then
    echo "There are more than $exceptions_max exceptions."
    exit 1
fi
[ -z "$new$gone" ]
