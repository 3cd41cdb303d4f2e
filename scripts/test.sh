#!/usr/bin/env bash
# Lints and tests everything, on an embedded TimescaleDB that is made ready where needed.
#     scripts/test.sh                 lint, then the tests
#     scripts/test.sh --pg 18         the same on PostgreSQL 18
#     scripts/test.sh --slow          the long campaigns instead
#     scripts/test.sh tests/FILE -k … further arguments go to pytest
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in
    -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0" && exit 0 ;;
    --slow) shift && set -- -m slow "$@" && slow=,spark ;;
esac
. scripts/setup.sh
rubi_setup "embedded,demo,load,references,test${slow:-}"
PATH="$PWD/.venv/bin:$PATH"

sqlfluff lint --disable-progress-bar schema indexes functions views triggers seed grants
squawk {schema,indexes,functions,views,triggers,seed,grants}/*.sql
ruff check --quiet scripts tests benchmarks
ruff format --quiet --check scripts tests benchmarks
shellcheck scripts/*.sh .ci/run
# two processes with a server each
exec python -m pytest -n 2 --dist worksteal "$@"
