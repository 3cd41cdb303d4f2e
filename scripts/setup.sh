#!/usr/bin/env bash
# Makes .venv with what pyproject.toml asks for, once for each state of that file. Source it:
#     . scripts/setup.sh; rubi_setup embedded,demo
# Afterwards .venv/bin/python has the extras named.

rubi_fail() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

rubi_setup() {
    local extras=$1 python stamp log
    for python in python3 python3.14 python3.13 python3.12 python3.11; do
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
        python=
    done
    [ -n "$python" ] || rubi_fail 'Python 3.11 or newer is needed: apt-get install python3'
    stamp="$("$python" -V) $(cksum <pyproject.toml)"
    [ -f ".venv/stamp-$extras" ] && [ "$(cat ".venv/stamp-$extras")" = "$stamp" ] && return 0

    printf 'preparing .venv (once, about a minute)\n' >&2
    log=$(mktemp)
    if [ ! -x .venv/bin/python ]; then
        # Debian keeps ensurepip in python3-venv; the pip of the machine can fill a bare venv.
        "$python" -m venv .venv >"$log" 2>&1 \
            || "$python" -m venv --clear --without-pip .venv >"$log" 2>&1 \
            || rubi_fail "no virtual environment: $(tail -n 1 "$log")"
    fi
    if .venv/bin/python -m pip --version >/dev/null 2>&1; then
        set -- .venv/bin/python -m pip
    else
        "$python" -m pip --version >/dev/null 2>&1 \
            || rubi_fail 'pip is needed: apt-get install python3-pip'
        set -- "$python" -m pip --python .venv/bin/python
    fi
    "$@" install --quiet --disable-pip-version-check --editable ".[$extras]" >"$log" 2>&1 \
        || rubi_fail "pip could not install the packages: $(grep -m 1 '^ERROR' "$log")"
    printf '%s' "$stamp" >".venv/stamp-$extras"
    rm -f "$log"
}
