#!/bin/sh
# repeats_test.sh USHER_SIM: two processes with one seed end with the same line, and another seed with another.
set -eu
first=$("$1" --seed 11 --days 4 | tail -n 1)
again=$("$1" --seed 11 --days 4 | tail -n 1)
other=$("$1" --seed 12 --days 4 | tail -n 1)
echo "$first"
echo "$again"
case $first in
*"violations=0 hash="*) ;;
*) exit 1 ;;
esac
[ "$first" = "$again" ]
[ "${first#*hash=}" != "${other#*hash=}" ]
