#!/usr/bin/env bash
# Makes .venv with what pyproject.toml asks for, once for each state of that file. Source it:
#     . scripts/setup.sh; rubi_setup embedded,demo
# Afterwards .venv/bin/python has the extras named.

rubi_fail() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

trap 'printf "interrupted\n" >&2; exit 130' INT

# The scripts go to the repository's folder: paths start from the caller's folder.
for rubi_name in RUBI_HOME RUBI_PG_BIN; do
    case ${!rubi_name:-/} in
        /*) ;;
        *) export "$rubi_name=$OLDPWD/${!rubi_name}" ;;
    esac
done

# The message of pip or venv, as one line: its first error, else its last words.
rubi_reason() {
    local line
    line=$(grep -m 1 -E '^ *ERROR:' <<<"$1" || grep -m 1 -E '^ *error:' <<<"$1" || true)
    [ -n "$line" ] || line=$(grep -v '^ *$' <<<"$1" | tail -n 1 || true)
    sed -E 's/^ *(ERROR|error): *//' <<<"${line:-no reason given}"
}

# The functions below see the variables of rubi_setup.
rubi_is_ready() {
    [ -x .venv/bin/python ] && [ "$(cat ".venv/stamp-$extras" 2>/dev/null)" = "$stamp" ]
}

rubi_setup() {
    local extras=$1 python stamp
    for python in python3 python3.14 python3.13 python3.12 python3.11; do
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
        python=
    done
    [ -n "$python" ] || rubi_fail 'Python 3.11 or newer is needed: apt-get install python3'
    stamp="$("$python" -V) $(cksum <pyproject.toml)"
    rubi_is_ready && return 0
    # one at a time; a pip that outlives a killed shell holds the lock as well
    exec 9<pyproject.toml
    "$python" -c '
import fcntl, signal, sys

signal.signal(signal.SIGINT, signal.SIG_DFL)  # the shell says that it was interrupted
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    print("another command prepares .venv: waiting for it", file=sys.stderr)
    fcntl.flock(9, fcntl.LOCK_EX)'
    if ! rubi_is_ready; then
        rubi_fill
        printf '%s' "$stamp" >".venv/stamp-$extras"
    fi
    exec 9<&-
}

# Makes and fills .venv; an unfinished one is made again.
rubi_fill() {
    local said own=
    printf 'preparing .venv (once, about a minute)\n' >&2
    # a link leads to an environment that others share
    if [ ! -L .venv ] && { [ -e .venv/unfinished ] || [ ! -x .venv/bin/python ]; }; then
        rm -rf .venv
        mkdir .venv
        touch .venv/unfinished
        # Debian keeps ensurepip in python3-venv; the pip of the machine can fill a bare venv.
        said=$("$python" -m venv .venv 2>&1) \
            || said=$("$python" -m venv --without-pip .venv 2>&1) \
            || rubi_fail "no virtual environment: $(rubi_reason "$said")"
    fi
    if .venv/bin/python -m pip --version >/dev/null 2>&1; then
        set -- .venv/bin/python -m pip
    else
        "$python" -m pip --version >/dev/null 2>&1 \
            || rubi_fail 'pip is needed: apt-get install python3-venv'
        set -- "$python" -m pip --python .venv/bin/python
        own=pip # messages and pages speak of .venv/bin/pip
    fi
    touch .venv/unfinished
    said=$("$@" install --quiet --disable-pip-version-check --no-compile \
        --editable ".[$extras]" $own 2>&1) || {
        # a refused package leaves nothing half installed, a full disk may
        [[ $said == *"No space left"* ]] || rm -f .venv/unfinished
        rubi_fail "pip could not install the packages: $(rubi_reason "$said")"
    }
    rm -f .venv/unfinished
    # pip would compile on one core, and the packages' own tests
    .venv/bin/python -W ignore -m compileall -qq -j 0 -x /tests/ .venv/lib || true
}
