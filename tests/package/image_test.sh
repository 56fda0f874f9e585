#!/usr/bin/env bash
# usage: image_test.sh IMAGE WORK: whether what is in IMAGE works as its own account, on a root that nobody can write to.
set -euo pipefail
image=$1 work=$2
if [ "$(id -u)" -ne 0 ]; then
    echo "skipped: only root can try an image without a program for containers"
    exit
fi
rm -rf "$work"
mkdir -p "$work"
umoci unpack --image "$image" "$work/bundle"
root=$work/bundle/rootfs
for key in '"uid": *[1-9]' '"/usr/bin/usherd"'; do
    tr -d '\n' <"$work/bundle/config.json" | grep -Eq "$key" || { echo "FAIL  config.json lacks $key"; exit 1; }
done
[ -z "$(find "$root/var/lib/usher" -type f)" ] || { echo "FAIL  there is a database in the image"; exit 1; }
# shellcheck disable=SC2016
unshare --mount --pid --fork sh -euc '
    mount --make-rprivate /
    mount --bind "$1" "$1"
    mount -t proc proc "$1/proc"
    mount -t tmpfs -o mode=2750,uid=$(chroot "$1" id -u usher),gid=$(chroot "$1" getent group usher-platforms | cut -d: -f3) \
        tmpfs "$1/var/lib/usher"
    mount --bind /dev "$1/dev"
    mount -o remount,ro,bind "$1"
    if touch "$1/file" 2>/dev/null; then
        echo "FAIL  the root is not read-only"
        exit 1
    fi
    root=$1
    run() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/ chroot --userspec=usher: "$root" "$@"; }
    run /usr/bin/usherctl init
    run /usr/bin/usherctl import --shift-start +5m --meetings /usr/share/doc/usher/examples/meetings.csv \
        --participants /usr/share/doc/usher/examples/participants.csv
    run /usr/bin/usherd --once
    run /usr/bin/usherctl credentials opening | head -n 3' sh "$root"
rm -rf "$work"
echo "ok    the image provisions, on a root that is read-only"
