#!/bin/sh
# A tour of a fleet: NATS, two masters and five peels on loopback, with real TLS and least-privilege credentials. Every expectation is
# checked. Usage: tests/demo-fleet.sh PATH-TO-ZESTER
set -eu

zester=${1:?usage: tests/demo-fleet.sh PATH-TO-ZESTER}
zester=$(cd "$(dirname "$zester")" && pwd)/$(basename "$zester")
here=$(cd "$(dirname "$0")" && pwd)
NATS_SERVER=$("$here/nats-server.sh")
export NATS_SERVER

scratch=$(mktemp -d)
lab=$scratch/lab
out=$scratch/out
cleanup() {
    "$zester" lab --dir "$lab" down >/dev/null 2>&1 || true
    rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cp -r "$here/fixtures/demo/fleet" "$scratch/tree"
cd "$scratch"

heading() {
    printf '\n\033[1m== %s\033[0m\n' "$*" | if [ -t 1 ]; then cat; else sed 's/\x1b\[[0-9;]*m//g'; fi
}

# Runs a command of the lab's operator whose exit status must be the first argument.
expect() {
    wanted=$1
    shift
    printf '$ zester %s\n' "$*"
    status=0
    "$zester" lab --dir "$lab" exec -- "$@" >"$out" 2>&1 || status=$?
    cat "$out"
    [ "$status" -eq "$wanted" ] || fail "the exit status is $status, not $wanted"
}

says() {
    grep -qF -- "$1" "$out" || fail "the output does not say: $1"
}

fail() {
    printf 'demo: %s\n' "$*" >&2
    tail -n 5 "$lab"/*.log >&2 || true
    exit 1
}

heading 'A fleet on this machine'
"$zester" lab --dir "$lab" up --masters 2 --peels 5
"$zester" lab --dir "$lab" status

heading 'Who is there?'
expect 0 'web-*' test.ping
says '5 done'
expect 0 'G@kernel:Linux and not L@web-1,web-2' grains.get id
says '3 done'

heading 'A machine that nobody knows asks to be a peel; an operator compares fingerprints and decides'
"$zester" lab --dir "$lab" exec -- peel run --id db-1 --directory "$scratch/db-1" --lock "$scratch/db-1.lock" \
    2>"$scratch/db-1.log" &
stranger=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do
    if grep -q 'waits for an operator' "$scratch/db-1.log"; then break; fi
    sleep 0.5
done
expect 0 enroll list --pending
says 'db-1'
expect 0 enroll approve db-1
for _ in 1 2 3 4 5 6 7 8 9 10; do
    if "$zester" lab --dir "$lab" exec -- db-1 test.ping >/dev/null 2>&1; then break; fi
    sleep 0.5
done
expect 0 'db-1' test.ping
says '1 done'

heading 'It is sold: its key is refused at once, and stays refused'
expect 0 enroll revoke db-1 --reason sold
says 'the servers refuse the key'
for _ in 1 2 3 4 5 6 7 8 9 10; do
    "$zester" lab --dir "$lab" exec -- db-1 test.ping --timeout 2s >/dev/null 2>&1 || break
done
expect 5 'db-1' test.ping
kill "$stranger" 2>/dev/null || true
wait "$stranger" 2>/dev/null || true
grep -q 'revoked' "$scratch/db-1.log" || fail 'db-1 does not know that it was revoked'

heading 'The tree is published only if it checks; it is signed, and without secrets'
expect 0 check -C tree
expect 0 publish -C tree
says 'revision 1'

heading 'Make it so, everywhere; the master that has the job is killed in the middle'
printf '$ zester apply -t %s\n' "'web-*'"
"$zester" lab --dir "$lab" exec -- apply -t 'web-*' --timeout 2m >"$scratch/apply" 2>&1 &
apply=$!
sleep 1.5
owner=$("$zester" lab --dir "$lab" exec -- job list --limit 1 --output json | sed 's/.*"owner":"\([^"]*\)".*/\1/')
for master in master-1 master-2; do
    if grep -q "$owner" "$lab/$master.log"; then
        "$zester" lab --dir "$lab" kill "$master"
        killed=$master
    fi
done
echo "killed ${killed:?no master has the job}; the other adopts it within 30 seconds"
status=0
wait "$apply" || status=$?
cat "$scratch/apply"
[ "$status" -eq 0 ] || fail "the exit status is $status, not 0"
for n in 1 2 3 4 5; do
    [ "$(wc -l <"$lab/web-$n/root/warmed")" -eq 1 ] || fail "web-$n ran the command not exactly once"
done
"$zester" lab --dir "$lab" start "$killed"

heading 'Again: there is nothing to do'
expect 0 apply -t 'web-*'
says '5 done'

heading 'A peel is away; its job waits for it'
"$zester" lab --dir "$lab" kill web-5
sed -i 's/port: 8080/port: 9090/; s/warm_up: 4/warm_up: 0/' tree/settings/site.zy
expect 0 publish -C tree
says 'revision 2'
expect 4 apply -t 'web-*'
says '1 unreachable'
jid=$(sed -n 's/^job \([^:]*\):.*/\1/p' "$out")
"$zester" lab --dir "$lab" start web-5
for _ in 1 2 3 4 5 6 7 8 9 10; do
    sleep 1
    if "$zester" lab --dir "$lab" exec -- job show "$jid" >"$out" 2>&1; then break; fi
done
cat "$out"
says '5 done'
grep -q '^port = 9090$' "$lab/web-5/root/etc/site.conf" || fail 'web-5 has not caught up'

heading 'Somebody edits a file by hand: the drift is found, and repaired'
sed -i 's/^port = .*/port = 1/' "$lab/web-2/root/etc/site.conf"
expect 10 apply -t 'web-*' --test --detailed-exitcode
says '-port = 1'
expect 0 apply -t 'web-*'
grep -q '^port = 9090$' "$lab/web-2/root/etc/site.conf" || fail 'web-2 was not repaired'

heading 'No secret lies anywhere in the clear: not in the streams, not in logs, not in copies of the tree'
if grep -rqF 'unmistakable-token' "$lab" --exclude-dir=root; then
    grep -rlF 'unmistakable-token' "$lab" --exclude-dir=root >&2
    fail 'the secret lies open'
fi
grep -qF 'token = unmistakable-token' "$lab/web-1/root/etc/site.conf" || fail 'web-1 does not have its secret'

heading 'What was done, and is everything well?'
expect 0 job list
expect 0 doctor
says 'ok  permissions'

"$zester" lab --dir "$lab" down
[ ! -e "$lab" ] || fail 'the lab left something behind'
printf '\nAll of it held.\n'
