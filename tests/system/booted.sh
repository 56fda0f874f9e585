#!/bin/bash
# usage: booted.sh: what the package does in a Debian of its own, with systemd running.
set -euo pipefail
database=/var/lib/usher/usher.db
fail() {
    echo "FAIL  $*"
    systemctl status usher --no-pager || true
    journalctl -u usher --no-pager -n 40 || true
    exit 1
}
ok() { echo "ok    $*"; }
until_true() { # WHAT COMMAND...: within 20 seconds
    for _ in $(seq 200); do
        ! "${@:2}" >/dev/null 2>&1 || return 0
        sleep 0.1 # polls a process
    done
    fail "still not: $1"
}
tokens() { sqlite3 "$database" 'SELECT count(*) FROM join_credential'; }
some_tokens() { [ "$(tokens)" -gt 0 ]; }
main_pid() { systemctl show -P MainPID usher; }

# As the three commands of docs/install.md.
dpkg -i /test/usher.deb
usherctl import --shift-start +5m --meetings /usr/share/doc/usher/examples/meetings.csv \
    --participants /usr/share/doc/usher/examples/participants.csv
until_true "first tokens" some_tokens
systemctl is-active --quiet usher || fail "usher is not active"
systemctl is-enabled --quiet usher || fail "usher is not enabled"
ok "from nothing to $(tokens) tokens"

useradd --groups usher-platforms platform
runuser -u platform -- usherctl status || true
grep -q usher.service "/proc/$(main_pid)/cgroup" || fail "usherd is not in its cgroup"
grep -Eq '^Seccomp:\s*2' "/proc/$(main_pid)/status" || fail "there is no filter of system calls"
grep -Eq '^CapBnd:\s*0+$' "/proc/$(main_pid)/status" || fail "there are capabilities"
ok "the unit's filters are on"

mkdir -p /etc/systemd/system/usher.service.d
printf '%s\n' '[Service]' 'LoadCredential=opentok:/etc/usher/secrets/opentok.secret' \
    >/etc/systemd/system/usher.service.d/credential.conf
(umask 077 && echo 0123456789abcdef0123456789abcdef01234567 >/etc/usher/secrets/opentok.secret)
cp /etc/usher/usher.yaml /etc/usher/usher.yaml.good
printf '%s\n' '  other:' '    provider: opentok' '    api_key: "47000000"' '    api_secret: {credential: opentok}' \
    >>/etc/usher/usher.yaml
systemctl daemon-reload
systemctl restart usher || fail "with a credential it does not start"
ok "a secret of root's own, by LoadCredential="

if usherctl --help | grep -qw reload; then
    systemctl reload usher || fail "a good configuration is refused"
    echo 'nonsense: 1' >>/etc/usher/usher.yaml
    ! systemctl reload usher || fail "a bad configuration is taken"
    systemctl is-active --quiet usher || fail "a refused reload ended the daemon"
    sed -i '/^nonsense/d' /etc/usher/usher.yaml
    systemctl reload usher || fail "the mended configuration is refused"
    ok "a refused configuration makes 'systemctl reload' fail, and nothing else"
else
    echo "      usherctl has no command reload: ExecReload is not tried"
fi

before=$(main_pid)
count=$(tokens)
rm -f /test/stop
(
    while [ ! -e /test/stop ]; do
        [ "$(runuser -u platform -- sqlite3 "$database" 'SELECT count(*) > 0 FROM join_credential' 2>&1)" = 1 ] ||
            echo "a reader was held up" >>/test/held_up
    done
) &
dpkg -i /test/next.deb
touch /test/stop
wait
[ ! -e /test/held_up ] || fail "a reader was held up by the upgrade"
systemctl is-active --quiet usher || fail "usher is not active after an upgrade"
[ "$(main_pid)" != "$before" ] || fail "the upgrade did not restart usher"
[ "$(tokens)" -ge "$count" ] || fail "tokens are missing after the upgrade"
ok "an upgrade restarts it, and readers go on"

if journalctl -u usher --no-pager | grep -F 'Operation not permitted'; then
    fail "the unit refuses what usherd calls"
fi
dpkg -r usher
! systemctl is-active --quiet usher || fail "usher runs after its removal"
[ "$(tokens)" -ge "$count" ] || fail "tokens are missing after the removal"
ok "removal stops it; what is published stays readable"
