#!/usr/bin/env bash
# usage: simulate.sh USHER_SIM MINUTES FOLDER
#        simulate.sh USHER_SIM MONTHSmonths FOLDER
# Simulates months on all processors, each run of four from a seed that is drawn now and printed; FOLDER/totals.md says
# what all of them came to, and FOLDER/violations.txt how to see each violation again.
set -euo pipefail

export sim=$1 folder=$3
how_long=$2
export months=4 # of each run
mkdir -p "$folder"
rm -f "$folder"/run_*.log "$folder"/totals.md "$folder"/violations.txt

run_once() {
    local seed log
    seed=$(od -An -N6 -tu8 /dev/urandom | tr -d ' ')
    log=$folder/run_$seed.log
    "$sim" --seed "$seed" --months "$months" --verbose >"$log" 2>&1 || true
    tail -n 1 "$log"
}
run_for_a_while() {
    while [ "$(date +%s)" -lt "$until" ]; do
        run_once
    done
}
export -f run_once run_for_a_while

started=$SECONDS
case $how_long in
*months) seq $((${how_long%months} / months)) | xargs -P "$(nproc)" -I{} bash -c run_once ;;
*)
    until=$(($(date +%s) + how_long * 60))
    export until
    seq "$(nproc)" | xargs -P "$(nproc)" -I{} bash -c run_for_a_while
    ;;
esac
took=$((SECONDS - started))
times >"$folder/times.txt"
processor=$(awk 'NR == 2 { gsub(/[ms]/, " "); $0 = $0; print ($1 + $3) * 60 + $2 + $4 }' "$folder/times.txt") # in seconds

cat "$folder"/run_*.log >"$folder/all.log"
grep -hE '^(violation|first|again): ' "$folder/all.log" >"$folder/violations.txt" || true
awk -v took="$took" -v processor="$processor" '
    /^month [0-9]+: / {
        ++months
        for (i = 1; i < NF; ++i)
            if ($(i + 1) ~ /^(meetings|edits|faults|starts|rounds|rows),$/)
                sum[$(i + 1)] += $i
    }
    /^month [0-9]+ kinds:/ {
        for (i = 4; i <= NF; ++i) {
            split($i, part, "=")
            kinds[part[1]] += part[2]
        }
    }
    /^seed=/ {
        ++runs
        for (i = 1; i <= NF; ++i)
            if (split($i, part, "=") == 2)
                if (part[1] == "events")
                    events += part[2]
                else if (part[1] == "violations")
                    violations += part[2]
    }
    END {
        printf "| what | how many |\n|---|---:|\n"
        printf "| months | %d |\n| seeds | %d |\n| minutes | %d |\n", months, runs, took / 60
        printf "| minutes of processors | %d |\n", processor / 60
        printf "| events | %d |\n| meetings | %d |\n| edits | %d |\n", events, sum["meetings,"], sum["edits,"]
        printf "| credentials looked at | %d |\n| starts of usherd | %d |\n", sum["rows,"], sum["starts,"]
        printf "| faults met | %d |\n| violations | %d |\n", sum["faults,"], violations
        printf "\n| kind of fault | how often it began |\n|---|---:|\n"
        for (kind in kinds)
            printf "| %s | %d |\n", kind, kinds[kind] | "sort"
    }' "$folder/all.log" >"$folder/totals.md"
cat "$folder/totals.md"
rm "$folder/all.log"
if [ -s "$folder/violations.txt" ]; then
    cat "$folder/violations.txt"
    exit 1
fi
