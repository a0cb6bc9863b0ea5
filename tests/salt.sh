#!/bin/sh
# Prints the path of a salt-call for the benchmarks and the comparison: Salt from the Python index, installed once into target/. The
# series is the one that docs/salt-comparison.md speaks of.
set -eu
cd "$(dirname "$0")/.."

environment=target/bench/salt
if [ ! -x "$environment/bin/salt-call" ]; then
    echo 'installing Salt into target/' >&2
    # The distribution's Python is built with optimisations; another one would slow Salt down and flatter us.
    python=/usr/bin/python3
    [ -x "$python" ] || python=python3
    rm -rf "$environment"
    "$python" -m venv "$environment" >&2
    "$environment/bin/pip" install --quiet --disable-pip-version-check 'salt==3008.*' >&2
fi
echo "$PWD/$environment/bin/salt-call"
