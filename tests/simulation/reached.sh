#!/usr/bin/env bash
# usage: reached.sh: runs simulated months with gcov, and lists each catch, throw, error return and reason code of
# lib/src/service, lib/src/store and lib/src/provider that none of them reached. unreached.txt has those that are known:
# whatever is missing there fails, and so does what is there though it is reached: the list only gets shorter.
# --write makes it anew. USHER_REACHED_SEEDS says what is run.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
read -ra seeds <<<"${USHER_REACHED_SEEDS:-1 2 3 4 5 6 7 8 9 10 11 12}"
work=$root/build/reached
known=$here/unreached.txt
export LC_ALL=C

cmake -S "$root" -B "$work" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS=--coverage \
    -DCMAKE_CXX_FLAGS_DEBUG='-O1 -g1' >/dev/null
cmake --build "$work" --target usher-sim >"$work/build.log" || { tail -n 40 "$work/build.log"; exit 1; }
find "$work" -name '*.gcda' -delete
# A violation is no matter here: script/check mutations and simulate see to it.
printf '%s\n' "${seeds[@]}" | xargs -P "$(nproc)" -I{} sh -c '"$0" --seed {} --days 20 >/dev/null || true' \
    "$work/bin/usher-sim"

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

# What is to be reached and was not: "file: source", without numbers, so that an edit elsewhere changes nothing. Of a
# file that never runs, its name alone.
unreached() {
    awk '
        {
            split($0, field, ":")
            file = field[1]
            count = field[3]
            text = $0
            for (i = 0; i < 3; ++i)
                text = substr(text, index(text, ":") + 1)
            gsub(/^[ \t]+|[ \t]+$/, "", text)
            files[NR] = file
            counts[NR] = count
            texts[NR] = text
            if (count + 0 > 0)
                runs[file] = 1
            else if (!(file in runs))
                runs[file] = 0
        }
        function is_wanted(text, file) {
            if (text ~ /^\/\// || text ~ /namespace/)
                return 0
            if (text ~ /catch \(/ || text ~ /(^|[^a-z_])throw / || text ~ /return (tl::unexpected|fail\()/)
                return 1
            return file !~ /\/store\// && text ~ /"[a-z]+(_[a-z]+)+"/ && text !~ /_event/
        }
        END {
            for (file in runs)
                if (!runs[file])
                    print file
            for (i = 1; i <= NR; ++i) {
                if (!runs[files[i]] || !is_wanted(texts[i], files[i]))
                    continue
                judged = i
                if (texts[i] ~ /catch \(/) # of a handler that has one, its first statement says whether it ran
                    for (next_one = i + 1; next_one <= i + 4 && files[next_one] == files[i]; ++next_one) {
                        if (texts[next_one] ~ /^}/)
                            break
                        if (counts[next_one] != "-") {
                            judged = next_one
                            break
                        }
                    }
                if (counts[judged] == "0")
                    print files[i] ": " texts[i]
            }
        }' | sort -u
}

lines >"$work/lines.txt"
if ! grep -qE '^lib/src/service/provisioning.cpp:[0-9]+:[1-9]' "$work/lines.txt"; then
    echo "nothing was counted: is gcov that of the compiler?"
    exit 1
fi
unreached <"$work/lines.txt" >"$work/unreached.txt"
if [ "${1:-}" = --write ]; then
    cp "$work/unreached.txt" "$known"
fi
new=$(comm -23 "$work/unreached.txt" "$known")
gone=$(comm -13 "$work/unreached.txt" "$known")
echo "$(wc -l <"$work/unreached.txt") places that no month reaches"
if [ -n "$new" ]; then
    echo "Not reached, and not in tests/simulation/unreached.txt: have the world lead there, or say so in that file."
    echo "$new"
fi
if [ -n "$gone" ]; then
    echo "Reached, or gone: take it out of tests/simulation/unreached.txt."
    echo "$gone"
fi
[ -z "$new$gone" ]
