#!/usr/bin/env bash
# usage: system_test.sh PACKAGES WORK
# Boots a Debian of its own below WORK with systemd-nspawn, installs the package that is in the folder PACKAGES, and does
# with it what booted.sh says. Before that, the unit's filter of system calls is held against what usherd calls. Needs
# root; prints what it leaves out, and why.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/package/tree.sh
. "$here/../package/tree.sh" "$1" "$2"

unit=$work/unit
rm -rf "$unit"
dpkg-deb -x "$deb" "$unit"
chmod 755 "$unit"
"$here/syscalls_test.sh" "$unit/usr/bin" "$unit/lib/systemd/system/usher.service"
exposure=$(systemd-analyze security --offline=true "$unit/lib/systemd/system/usher.service" 2>/dev/null |
    sed -nE 's/.*Overall exposure level.*: ([0-9.]+) .*/\1/p')
awk -v exposure="$exposure" 'BEGIN { exit !(exposure != "" && exposure <= 1.1) }' ||
    { echo "systemd-analyze security: exposure $exposure, not at most 1.1"; exit 1; }
echo "ok    systemd-analyze security: the exposure is $exposure"
rm -rf "$unit"

make_next
make_tree
cp "$here/booted.sh" "$tree/test/"
mkdir -p "$tree/test/project/tests" "$tree/test/packages"
cp -r "$here/../docs" "$tree/test/project/tests/"
cp -r "$here/../../README.md" "$here/../../docs" "$tree/test/project/"
# As docs/install.md names them.
cp "$deb" "$tree/test/packages/usher_1.0.0_amd64.deb"
cp "$work/usher_next.deb" "$tree/test/packages/usher_1.1.0_amd64.deb"
mkdir -p "$tree/etc/systemd/system/multi-user.target.wants"
cat >"$tree/etc/systemd/system/usher-test.service" <<'UNIT'
[Unit]
# At the end of the start, not before it: the package's unit is started by a transaction of its own.
After=basic.target dbus.service
[Service]
Type=oneshot
Environment=DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
ExecStart=/bin/bash -c 'echo started >/test/status; bash /test/booted.sh >/test/log 2>&1; echo $? >/test/status'
ExecStopPost=/bin/systemctl poweroff --no-block
UNIT
ln -s ../usher-test.service "$tree/etc/systemd/system/multi-user.target.wants/usher-test.service"
timeout 900 systemd-nspawn --quiet --register=no --keep-unit --directory="$tree" --boot --console=pipe \
    >"$work/nspawn.log" 2>&1 </dev/null || true
case $(cat "$tree/test/status" 2>/dev/null) in
0) cat "$tree/test/log" ;;
'')
    echo "skipped: systemd-nspawn cannot start it here: $(tail -n 1 "$work/nspawn.log" | tr -d '\r')"
    ;;
*)
    cat "$tree/test/log"
    echo "system_test.sh: failed; the tree is still in $tree" >&2
    exit 1
    ;;
esac
rm -rf "$tree"
