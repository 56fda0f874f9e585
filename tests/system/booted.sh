#!/bin/bash
# usage: booted.sh: what the package does in a Debian of its own, with systemd running. Run by system_test.sh in it.
set -euo pipefail
database=/var/lib/usher/usher.db
fail() {
    echo "FAIL  $*"
    systemctl status usher --no-pager || true
    journalctl -u usher --no-pager -n 40 || true
    exit 1
}
ok() { echo "ok    $*"; }
quietly() { "$@" >/tmp/quietly.log 2>&1 || { cat /tmp/quietly.log; fail "$*"; }; }
until_true() { # SECONDS WHAT COMMAND...
    for _ in $(seq "$(($1 * 10))"); do
        ! "${@:3}" >/dev/null 2>&1 || return 0
        sleep 0.1 # polls a process
    done
    fail "still not after $1 seconds: $2"
}
as_platform() { runuser -u platform -- "$@"; }
sql() { as_platform sqlite3 -cmd '.timeout 10000' "$database" "$1"; }
tokens() { sql 'SELECT count(*) FROM join_credential'; }
property() { systemctl show -P "$1" usher; }
main_pid() { property MainPID; }
is_active() { systemctl is-active --quiet usher; }
restarted_since() { # PID
    local now
    now=$(main_pid)
    is_active && [ "$now" != 0 ] && [ "$now" != "$1" ]
}
drop_in() { # NAME LINE...
    mkdir -p /etc/systemd/system/usher.service.d
    printf '%s\n' '[Service]' "${@:2}" >"/etc/systemd/system/usher.service.d/$1.conf"
    systemctl daemon-reload
}

quietly dpkg -i /test/usher.deb
is_active || fail "usher is not active"
systemctl is-enabled --quiet usher || fail "usher is not enabled"
systemd-analyze verify usher.service || fail "systemd-analyze verify is not content"
[ "$(property StatusText)" != "" ] || fail "there is no STATUS="
useradd --groups usher-platforms platform
quietly as_platform usherctl import --shift-start +5m --meetings /usr/share/doc/usher/examples/meetings.csv \
    --participants /usr/share/doc/usher/examples/participants.csv
some_tokens() { [ "$(tokens)" -gt 0 ]; }
until_true 20 "first tokens" some_tokens
quietly as_platform usherctl status
ok "from nothing to $(tokens) tokens, imported and read by a member of usher-platforms"

grep -q usher.service "/proc/$(main_pid)/cgroup" || fail "usherd is not in its cgroup"
grep -Eq '^Seccomp:\s*2' "/proc/$(main_pid)/status" || fail "there is no filter of system calls"
grep -Eq '^CapBnd:\s*0+$' "/proc/$(main_pid)/status" || fail "there are capabilities"
[ "$(stat -c %U "/proc/$(main_pid)")" = usher ] || fail "usherd is not the account usher"
ok "the unit's filters are on"

drop_in credential 'LoadCredential=opentok:/etc/usher/secrets/opentok.secret'
(umask 077 && echo 0123456789abcdef0123456789abcdef01234567 >/etc/usher/secrets/opentok.secret)
printf '%s\n' '  other:' '    provider: opentok' '    api_key: "47000000"' '    api_secret: {credential: opentok}' \
    >>/etc/usher/usher.yaml
systemctl restart usher || fail "with a credential it does not start"
ok "a secret of root's own, by LoadCredential="

before=$(main_pid)
systemctl reload usher || fail "a good configuration is refused"
echo 'nonsense: 1' >>/etc/usher/usher.yaml
! systemctl reload usher || fail "a bad configuration is taken"
is_active || fail "a refused reload ended the daemon"
[[ "$(property StatusText)" = *refused* ]] || fail "STATUS= does not say that the configuration was refused"
journal() { journalctl --unit usher --no-pager "$@"; }
journal USHER_EVENT=config.refused --priority err --output cat | grep -q nonsense ||
    fail "the journal does not have the refusal, with its event and priority"
journal USHER_EVENT=config.refused --catalog | grep -q 'Correct what it names, and reload again' ||
    fail "the catalogue does not explain the refusal"
sed -i '/^nonsense/d' /etc/usher/usher.yaml
systemctl reload usher || fail "the mended configuration is refused"
[[ "$(property StatusText)" != *refused* ]] || fail "STATUS= still says that the configuration was refused"
[ "$(main_pid)" = "$before" ] || fail "a reload restarted usherd"
ok "a refused configuration makes 'systemctl reload' fail, and nothing else"

drop_in soon RestartSec=100ms
before=$(main_pid)
kill -9 "$before"
until_true 20 "a new usherd after kill -9" restarted_since "$before"
sql "INSERT INTO meeting (id, starts_at, ends_at)
         VALUES ('after-kill', unixepoch() + 600, unixepoch() + 3600);
     INSERT INTO participant (meeting_id, participant_id, role) VALUES ('after-kill', 'ann', 'publisher')"
is_ready() { [ "$(sql "SELECT count(*) FROM join_credential WHERE meeting_id = '$1'")" -gt 0 ]; }
until_true 20 "a meeting that is written after kill -9" is_ready after-kill
ok "after kill -9 it is started again, and goes on"

drop_in watchdog WatchdogSec=2s TimeoutAbortSec=1s
systemctl restart usher
before=$(main_pid)
kill -STOP "$before"
until_true 30 "a new usherd after SIGSTOP" restarted_since "$before"
journalctl -u usher --no-pager | grep -qi watchdog || fail "it was not the watchdog that restarted it"
rm /etc/systemd/system/usher.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart usher
ok "a daemon that hangs is restarted by the watchdog"

# A series of meetings in one room of the platform's own: nobody is asked for a session, and each token is an RS256 one.
people=200000
application=29f760f8-7ce1-46c9-ade3-f2dedee4ed5f
room=2_$(printf '1~%s~~1790000000000~room~~' "$application" | base64 -w0 | tr -d = | tr '+/' '-_')
(umask 077 && openssl genrsa -out /etc/usher/secrets/vonage.pem 2048 2>/dev/null)
systemctl stop usher
drop_in credential 'LoadCredential=opentok:/etc/usher/secrets/opentok.secret' \
    'LoadCredential=vonage:/etc/usher/secrets/vonage.pem'
printf '%s\n' '  large:' '    provider: vonage' "    application_id: $application" '    private_key: {credential: vonage}' \
    >>/etc/usher/usher.yaml
sql "BEGIN;
     INSERT INTO meeting (id, starts_at, ends_at, project, session_id)
         SELECT 'large-' || value, unixepoch() + 300, unixepoch() + 7200, 'large', '$room'
           FROM generate_series(1, $people / 100);
     INSERT INTO participant (meeting_id, participant_id, role)
         SELECT 'large-' || m.value, 'p' || p.value, 'publisher'
           FROM generate_series(1, $people / 100) m, generate_series(1, 100) p;
     COMMIT"
started=$(date +%s%N)
systemctl start usher || fail "with $people tokens due it does not start"
ready_after=$((($(date +%s%N) - started) / 1000000))
at_first=$(sql "SELECT count(*) FROM join_credential WHERE meeting_id LIKE 'large-%'")
[ "$at_first" -lt "$people" ] || fail "READY came after the backlog, not before it"
before=$(main_pid)
busy_text=
all_there() {
    [ -n "$busy_text" ] || busy_text=$(property StatusText)
    [ "$(sql "SELECT count(*) FROM join_credential WHERE meeting_id LIKE 'large-%'")" = "$people" ]
}
until_true 500 "$people RS256 tokens" all_there
[ "$(main_pid)" = "$before" ] || fail "the backlog restarted usherd"
ok "a start with $people RS256 tokens due: READY after $ready_after ms with $at_first of them;" \
    "all after $((($(date +%s%N) - started) / 1000000000)) s; meanwhile '$busy_text'"
sql "DELETE FROM meeting WHERE id LIKE 'large-%'; DELETE FROM participant WHERE meeting_id LIKE 'large-%'"

before=$(main_pid)
count=$(sql "SELECT count(*) FROM join_credential WHERE meeting_id NOT LIKE 'large-%'")
rm -f /test/stop
(
    while [ ! -e /test/stop ]; do
        [ "$(sql "SELECT count(*) > 0 FROM join_credential" 2>&1)" = 1 ] || echo "a reader was held up" >>/test/held_up
    done
) &
quietly dpkg -i /test/next.deb
touch /test/stop
wait
[ ! -e /test/held_up ] || fail "a reader was held up by the upgrade"
is_active || fail "usher is not active after an upgrade"
[ "$(main_pid)" != "$before" ] || fail "the upgrade did not restart usher"
[ "$(tokens)" -ge "$count" ] || fail "tokens are missing after the upgrade"
ok "an upgrade restarts it, and readers go on"

if journalctl -u usher --no-pager | grep -F 'Operation not permitted'; then
    fail "the unit refuses what usherd calls"
fi
quietly dpkg -r usher
! is_active || fail "usher runs after its removal"
[ "$(tokens)" -ge "$count" ] || fail "tokens are missing after the removal"
ok "removal stops it; what is published stays readable"

quietly dpkg -P usher
! systemctl cat usher >/dev/null 2>&1 || [ "$(property LoadState)" != loaded ] || fail "purge left the unit"
[ ! -e /etc/usher/usher.yaml ] || fail "purge left usher.yaml"
[ -e "$database" ] || fail "purge took the database"
ok "purge takes the configuration, and leaves the database"

# What the docs tell operators to type, from nothing again.
bash -c 'rm -rf /var/lib/usher /etc/usher; userdel usher; groupdel usher-platforms' || fail "what purge prints fails"
rm -rf /etc/systemd/system/usher.service.d
systemctl daemon-reload
echo 'APT::Get::Assume-Yes "true";' >/etc/apt/apt.conf.d/99yes
docs() { (cd /test/packages && /test/project/tests/docs/commands_test.sh --system /test/project /usr/bin /test/run "$@"); }
quietly dpkg -i /test/usher.deb
quietly usherctl import --shift-start +5m --meetings /usr/share/doc/usher/examples/meetings.csv \
    --participants /usr/share/doc/usher/examples/participants.csv
quietly docs docs/operations.md docs/log.md
quietly dpkg -P usher
rm -rf /var/lib/usher
quietly docs docs/install.md
ok "the commands of install.md, operations.md and log.md"
