#!/usr/bin/env bash
# usage: package_test.sh PACKAGES WORK
# Installs, upgrades, downgrades, removes and purges the packages in the folder PACKAGES in a Debian of their own, below
# WORK, without systemd running. Needs root.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/package/tree.sh
. "$here/tree.sh" "$1" "$2"

make_next
make_tree
cp "$here/inside.sh" "$tree/test/"
# Its own /proc and /dev; what runs in it ends with it.
# shellcheck disable=SC2016
unshare --mount --pid --fork sh -c '
    mount --make-rprivate /
    mount -t proc proc "$1/proc"
    mount -t tmpfs tmpfs "$1/dev"
    for node in null zero random urandom; do
        touch "$1/dev/$node"
        mount --bind "/dev/$node" "$1/dev/$node"
    done
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        chroot "$1" bash /test/inside.sh "$2"' sh "$tree" "$version"
rm -rf "$tree"
