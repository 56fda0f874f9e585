# SPDX-License-Identifier: Apache-2.0
# usage: . tree.sh PACKAGES WORK: what the tests share that install the package in a Debian tree of their own, $work/tree.
# shellcheck shell=bash
if [ "$(id -u)" -ne 0 ]; then
    echo "skipped: only root can make a Debian tree"
    exit
fi
packages=$(cd "$1" && pwd)
mkdir -p "$2"
work=$(cd "$2" && pwd)
tree=$work/tree
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
        printf '%s\n' dbus man-db openssl sqlite3 systemd systemd-sysv
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
}
