#!/usr/bin/env bash
# usage: check.sh [--apply-only | NAME...]: breaks usher on purpose, in one place at a time, and sees that the simulation
# notices. Each patch here says what it breaks and which promise catches it.
# --apply-only only sees that all of them can be applied, and changes nothing. USHER_MUTATION_SEEDS and USHER_MUTATION_DAYS say what is run.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
read -ra seeds <<<"${USHER_MUTATION_SEEDS:-1 2 3 4 5 6 7 8 9 10}"
days=${USHER_MUTATION_DAYS:-20}
work=$root/build/mutations

header() { sed -nE "1,2s/^$2: //p" "$1"; }

apply_only() {
    local failed=0 patch
    for patch in "$here"/*.patch; do
        if [ -z "$(header "$patch" Broken)" ] || [ -z "$(header "$patch" 'Caught by')" ]; then
            echo "$(basename "$patch"): must begin with the lines 'Broken: ' and 'Caught by: '"
            failed=1
        fi
        if ! patch -p1 -d "$root" --dry-run --force --silent --fuzz=0 <"$patch" >/dev/null; then
            echo "$(basename "$patch"): cannot be applied any more; make it anew"
            failed=1
        fi
    done
    return "$failed"
}

# Builds what is in $work/tree.
build() { ninja -C "$work/build" usher-sim >"$work/build.log" 2>&1; }

# A line for one mutation; false when no seed catches it.
try() {
    local patch=$1 name seed first log=$work/run.log status
    name=$(basename "$patch" .patch)
    patch -p1 -d "$work/tree" --force --silent <"$patch"
    if ! build; then
        printf '%-30s does not build: see %s\n' "$name" "$work/build.log"
        patch -p1 -R -d "$work/tree" --force --silent <"$patch"
        return 1
    fi
    for seed in "${seeds[@]}"; do
        status=0
        timeout 300 "$work/build/bin/usher-sim" --seed "$seed" --days "$days" >"$log" 2>&1 || status=$?
        [ "$status" -eq 0 ] && continue
        first=$(sed -nE 's/^first: //p' "$log" | tail -n 1)
        case $status in
        124) first="hangs" ;;
        1) ;;
        *) first="ends with status $status" ;;
        esac
        printf '%-30s %-9s %-24s seed %s\n' "$name" "$(header "$patch" 'Caught by')" "$first" "$seed"
        cp "$log" "$work/$name.log"
        patch -p1 -R -d "$work/tree" --force --silent <"$patch"
        return 0
    done
    patch -p1 -R -d "$work/tree" --force --silent <"$patch"
    printf '%-30s %-9s %s\n' "$name" "$(header "$patch" 'Caught by')" "NOT CAUGHT: $(header "$patch" Broken)"
    return 1
}

if [ "${1:-}" = --apply-only ]; then
    apply_only
    exit
fi
mkdir -p "$work"
rm -rf "$work/tree"
mkdir "$work/tree"
# Each file is of now: an older one might be taken for what an object was made from by a mutation before.
tar -C "$root" --exclude=./build --exclude=./.git --exclude=node_modules -cf - . | tar -C "$work/tree" -xmf -
patches=$work/tree/tests/simulation/mutations # what is edited meanwhile is of no account
cmake -S "$work/tree" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release >"$work/build.log" 2>&1
build
# A seed that finds something though nothing is broken on purpose says nothing about what is.
clean=()
for seed in "${seeds[@]}"; do
    if "$work/build/bin/usher-sim" --seed "$seed" --days "$days" >"$work/run.log" 2>&1; then
        clean+=("$seed")
    else
        echo "seed $seed is left out: $(sed -nE 's/^violation: //p' "$work/run.log" | head -n 1)"
    fi
done
if [ ${#clean[@]} -lt $((${#seeds[@]} / 2)) ]; then
    echo "too many seeds find something though nothing is broken on purpose"
    exit 1
fi
seeds=("${clean[@]}")
if [ $# -gt 0 ]; then
    chosen=("${@/#/$patches/}")
    chosen=("${chosen[@]/%/.patch}")
else
    chosen=("$patches"/*.patch)
fi
printf '%-30s %-9s %-24s %s\n' mutation promise 'caught by' ''
failed=0
for patch in "${chosen[@]}"; do
    try "$patch" || failed=$((failed + 1))
done
echo "${#chosen[@]} mutations, $failed not caught"
[ "$failed" -eq 0 ]
