#!/bin/sh
# Runs the unit tests under each Python of $PYTHONS that this machine has, besides the one of the environment ($1).
set -eu
own=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')

# The one on the PATH, else one that pyenv has but does not offer.
found() {
    for candidate in "python$1" "${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}"/versions/"$1".*/bin/python; do
        if "$candidate" -c 'import ensurepip' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

for version in $PYTHONS; do
    [ "$version" = "$own" ] && continue
    python=$(found "$version")
    if [ -z "$python" ]; then
        echo "unit tests under Python $version: not run, this machine has none"
        continue
    fi
    venv=".venv-$version"
    if [ ! -e "$venv/.ready" ] || [ pyproject.toml -nt "$venv/.ready" ] || [ constraints.txt -nt "$venv/.ready" ]; then
        "$python" -m venv "$venv"
        "$venv/bin/python" -m pip --quiet --disable-pip-version-check install --upgrade pip
        "$venv/bin/python" -m pip --quiet --disable-pip-version-check install --constraint constraints.txt \
            --editable '.' --group dev
        touch "$venv/.ready"
    fi
    echo "unit tests under Python $version"
    "$venv/bin/python" -m pytest -q -n auto tests/unit
done
