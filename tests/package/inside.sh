#!/bin/bash
# usage: inside.sh VERSION: what the package does in a Debian of its own, without systemd running.
set -euo pipefail
version=$1
database=/var/lib/usher/usher.db
fail() { echo "FAIL  $*"; exit 1; }
ok() { echo "ok    $*"; }
same() { # WHAT ACTUAL EXPECTED
    [ "$2" = "$3" ] || fail "$1: '$2', expected '$3'"
}
as() { runuser -u "$1" -- "${@:2}"; }
refused() { # WHAT COMMAND...: it fails
    ! "${@:2}" >/tmp/output 2>&1 || fail "$1 is not refused"
}
count() { as platform sqlite3 "$database" "SELECT count(*) FROM $1"; }

dpkg -i /test/usher.deb >/tmp/log 2>&1 || { cat /tmp/log; fail "install"; }
for right in "755 root:root /etc/usher" "644 root:root /etc/usher/usher.yaml" "710 root:usher /etc/usher/secrets" \
    "2750 usher:usher-platforms /var/lib/usher" "660 usher:usher-platforms $database" \
    "644 root:root /etc/apparmor.d/usr.bin.usherd" "755 root:root /usr/bin/usherd"; do
    same rights "$(stat -c '%a %U:%G %n' "${right##* }")" "$right"
done
same conffiles "$(dpkg-query -W -f '${Conffiles}' usher | awk 'NF { print $1 }' | sort | paste -sd' ')" \
    "/etc/apparmor.d/usr.bin.usherd /etc/init.d/usher /etc/usher/usher.yaml"
same version "$(usherd --version) $(usherctl --version)" "usherd $version, schema 1 usherctl $version, schema 1"
usherd --check-config >/dev/null
for page in usherd.8 usherctl.1 usher.yaml.5 usher-contract.7; do
    man -w "${page##*.}" "${page%.*}" >/dev/null || fail "no page $page"
done
ok "install: rights, conffiles, versions, manual pages"

useradd --groups usher-platforms platform
useradd stranger
as platform usherctl import --shift-start +5m --meetings /usr/share/doc/usher/examples/meetings.csv \
    --participants /usr/share/doc/usher/examples/participants.csv >/dev/null
as usher usherd --once >/dev/null 2>&1
same "rights of the key" "$(stat -c '%a %U' "$database.key")" "600 usher"
tokens=$(count join_credential)
[ "$tokens" -gt 0 ] || fail "no token"
refused "a stranger's reading" as stranger sqlite3 "$database" 'SELECT 1 FROM meeting'
refused "a platform's file beside the database" as platform touch /var/lib/usher/more
refused "a platform's look at the secrets" as platform ls /etc/usher/secrets
refused "a platform's look at the key" as platform cat "$database.key"
as stranger cat /etc/usher/usher.yaml >/dev/null
ok "a member of usher-platforms writes, and reads $tokens tokens; others do not"

echo '# mine' >>/etc/usher/usher.yaml
before=$(as platform sqlite3 "$database" 'SELECT max(seq) FROM meeting_status')
rm -f /tmp/stop
(
    while [ ! -e /tmp/stop ]; do
        [ "$(count join_credential 2>&1)" = "$tokens" ] || echo "a reader was held up" >>/tmp/held_up
    done
) &
dpkg -i /test/next.deb >/tmp/log 2>&1 || { cat /tmp/log; fail "upgrade"; }
touch /tmp/stop
wait
[ ! -e /tmp/held_up ] || fail "a reader was held up by the upgrade"
grep -q '^# mine' /etc/usher/usher.yaml || fail "the upgrade overwrote usher.yaml"
same seq "$(as platform sqlite3 "$database" 'SELECT max(seq) FROM meeting_status')" "$before"
as usher usherd --once >/dev/null 2>&1
same tokens "$(count join_credential)" "$tokens"
ok "upgrade: database and configuration stay, readers go on"

# As a newer usher might leave it.
as usher sqlite3 "$database" 'ALTER TABLE agenda ADD COLUMN newer; PRAGMA user_version = 2; PRAGMA wal_checkpoint(TRUNCATE)' \
    >/dev/null
refused "a downgrade" dpkg -i /test/usher.deb
grep -qF "usher: $database has schema 2, of usher $version+next; usher $version knows schema 1. Nothing was changed." \
    /tmp/output ||
    { cat /tmp/output; fail "no sentence about the downgrade"; }
same "after a refused downgrade" "$(dpkg-query -W -f '${Status} ${Version}' usher)" "install ok installed $version+next"
refused "a newer database" as usher usherd --once
grep -q 'has schema version 2' /tmp/output || { cat /tmp/output; fail "usherd has no sentence about a newer database"; }
as usher sqlite3 "$database" 'ALTER TABLE agenda DROP COLUMN newer; PRAGMA user_version = 1' >/dev/null
dpkg -i /test/usher.deb >/tmp/log 2>&1 || { cat /tmp/log; fail "downgrade to the same schema"; }
ok "downgrade: refused for a newer schema, with a sentence; else taken"

dpkg -r usher >/tmp/log 2>&1 || { cat /tmp/log; fail "remove"; }
[ -e /etc/usher/usher.yaml ] || fail "removal took usher.yaml"
echo secret >/etc/usher/secrets/opentok.secret
dpkg -P usher >/tmp/log 2>&1 || { cat /tmp/log; fail "purge"; }
[ ! -e /etc/usher/usher.yaml ] && [ ! -e /etc/apparmor.d/usr.bin.usherd ] || fail "purge left conffiles"
for kept in "$database" "$database.key" /etc/usher/secrets/opentok.secret; do
    [ -e "$kept" ] || fail "purge took $kept"
done
getent passwd usher >/dev/null && getent group usher-platforms >/dev/null || fail "purge took the accounts"
line=$(sed -n 's/^  \(rm -rf .*\)/\1/p' /tmp/log)
[ -n "$line" ] || { cat /tmp/log; fail "purge does not say what stays"; }
ok "purge: conffiles go; database, key, secrets and accounts stay"

dpkg -i /test/usher.deb >/tmp/log 2>&1 || { cat /tmp/log; fail "install again"; }
same "tokens after another install" "$(count join_credential)" "$tokens"
dpkg -P usher >/tmp/log 2>&1
bash -c "$line"
same "what is left" "$(find /etc /usr /var/lib /run /tmp -name '*usher*' ! -path '/var/lib/dpkg/*' | paste -sd' ')" ""
! getent passwd usher >/dev/null && ! getent group usher-platforms >/dev/null || fail "the accounts are still there"
ok "another install finds the database; what purge prints deletes the rest"
