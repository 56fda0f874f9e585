#!/usr/bin/env bash
# usage: package_test.sh PACKAGES WORK
# Installs, upgrades, downgrades, removes and purges the packages in the folder PACKAGES in a Debian of their own, below
# WORK; then in the same one with systemd running, where systemd-nspawn can start it. Needs root.
set -euo pipefail

packages=$(cd "$1" && pwd)
mkdir -p "$2"
work=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
tree=$work/tree

if [ "$(id -u)" -ne 0 ]; then
    echo "skipped: only root can make a Debian tree to install the package in"
    exit
fi
deb=$(ls "$packages"/usher_*_"$(dpkg --print-architecture)".deb)
version=$(dpkg-deb -f "$deb" Version)

# The next release, which changes nothing but its number.
make_next() {
    local root=$work/next
    rm -rf "$root"
    dpkg-deb -R "$deb" "$root"
    sed -i "s/^Version: .*/Version: $version+next/" "$root/DEBIAN/control"
    dpkg-deb --root-owner-group -b "$root" "$work/usher_next.deb" >/dev/null
    rm -rf "$root"
}

# What the package depends on, the first of alternatives; and what the test itself uses.
needed() {
    {
        dpkg-deb -f "$deb" Depends | tr ',' '\n' | sed 's/|.*//; s/(.*//'
        printf '%s\n' dbus man-db sqlite3 systemd systemd-sysv
    } | tr -d ' ' | sort -u | paste -sd,
}

make_tree() {
    local list archive=$work/debian.tar
    list=$(needed)
    if [ "$(cat "$work/debian.list" 2>/dev/null)" != "$list" ]; then
        mmdebstrap --quiet --variant=minbase --include="$list" bookworm "$archive"
        echo "$list" >"$work/debian.list"
    fi
    rm -rf "$tree"
    mkdir -p "$tree"
    tar --extract --numeric-owner --directory="$tree" --file="$archive" --exclude='./dev/*'
    mkdir -p "$tree/test"
    cp "$deb" "$tree/test/usher.deb"
    cp "$work/usher_next.deb" "$tree/test/next.deb"
    cp "$here/inside.sh" "$here/booted.sh" "$tree/test/"
}

make_next
make_tree
echo "In a Debian without systemd running:"
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

make_tree
mkdir -p "$tree/etc/systemd/system/multi-user.target.wants"
cat >"$tree/etc/systemd/system/usher-test.service" <<'UNIT'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
Environment=DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
ExecStart=/bin/bash -c 'echo started >/test/status; bash /test/booted.sh >/test/log 2>&1; echo $? >/test/status'
ExecStopPost=/bin/systemctl poweroff --no-block
UNIT
# At the end of the start, not before it: the package's unit is started by a transaction of its own.
ln -s ../usher-test.service "$tree/etc/systemd/system/multi-user.target.wants/usher-test.service"
sed -i 's/^After=.*/After=basic.target dbus.service/' "$tree/etc/systemd/system/usher-test.service"
echo "In a Debian with systemd running:"
timeout 240 systemd-nspawn --quiet --register=no --keep-unit --directory="$tree" --boot --console=pipe \
    >"$work/nspawn.log" 2>&1 </dev/null || true
case $(cat "$tree/test/status" 2>/dev/null) in
0) cat "$tree/test/log" ;;
'')
    echo "skipped: systemd-nspawn cannot start it here: $(tail -n 1 "$work/nspawn.log" | tr -d '\r')"
    ;;
*)
    cat "$tree/test/log"
    echo "package_test.sh: failed; the tree is still in $tree" >&2
    exit 1
    ;;
esac
rm -rf "$tree"
