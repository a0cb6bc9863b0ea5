#!/bin/sh
# A tour of zester on a scratch directory. Every expectation is checked: the script fails with the first that does
# not hold. Usage: tests/demo.sh PATH-TO-ZESTER
set -eu

zester=${1:?usage: tests/demo.sh PATH-TO-ZESTER}
zester=$(cd "$(dirname "$zester")" && pwd)/$(basename "$zester")
cd "$(dirname "$0")/fixtures/demo"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
out=$scratch/out
root=$scratch/app

heading() {
    printf '\n\033[1m== %s\033[0m\n' "$*" | if [ -t 1 ]; then cat; else sed 's/\x1b\[[0-9;]*m//g'; fi
}

# Runs a command whose exit status must be the first argument; shows the command and its output.
expect() {
    wanted=$1
    shift
    printf '$ zester %s\n' "$*"
    status=0
    "$zester" "$@" >"$out" 2>&1 || status=$?
    cat "$out"
    [ "$status" -eq "$wanted" ] || fail "the exit status is $status, not $wanted"
}

# The output of the last command must hold this text.
says() {
    grep -qF -- "$1" "$out" || fail "the output does not say: $1"
}

fail() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}

heading 'The tree is checked before anything runs'
expect 0 check -C good
says 'nothing to report'

heading 'What would run, in which order, from which lines'
expect 0 plan -C good --set app.root="$root"
says 'macros.jinja'

heading 'Make it so'
expect 0 apply -C good --set app.root="$root"
says '5 changed'
grep -q '^port = 8080$' "$root/etc/app.conf" || fail 'the configuration was not written'
[ -f "$root/www/blog/index.html" ] && [ -f "$root/www/shop/index.html" ] || fail 'a page was not written'

heading 'Again: there is nothing to do'
expect 0 apply -C good --set app.root="$root"
says '4 unchanged, 1 skipped'
[ "$(wc -l <"$root/etc/history")" -eq 1 ] || fail 'the command ran although nothing had changed'

heading 'Somebody edits a file by hand'
sed -i 's/^port = .*/port = 9999/' "$root/etc/app.conf"
chmod 666 "$root/etc/app.conf"
grep -n '^port' "$root/etc/app.conf"

heading 'What would change'
expect 10 apply -C good --set app.root="$root" --test --detailed-exitcode
says '-port = 9999'
grep -q '^port = 9999$' "$root/etc/app.conf" || fail 'a test run changed something'

heading 'Repair'
expect 0 apply -C good --set app.root="$root"
says '+port = 8080'
grep -q '^port = 8080$' "$root/etc/app.conf" || fail 'the file was not repaired'

heading 'A tree full of mistakes: each is found before anything is touched'
expect 1 check -C wrong
says 'did you mean `pkg.installed`?'
says 'did you mean `enable`?'
says 'did you mean `pkg: nginx`?'
says 'did you mean `site`?'
says 'is given twice'
expect 1 apply -C wrong
says 'nothing was touched'

heading 'Every rule explains itself'
expect 0 explain unknown-requisite

printf '\nAll of it held.\n'
