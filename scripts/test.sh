#!/usr/bin/env bash
# Lints and tests everything, on an embedded TimescaleDB that is made ready where needed.
#     scripts/test.sh                   lint, then the tests
#     scripts/test.sh --pg 18           the same on PostgreSQL 18
#     scripts/test.sh --edition apache  where the server has both editions: timescale is the usual
#     scripts/test.sh --slow            the long campaigns instead
#     scripts/test.sh tests/FILE -k …   further arguments go to pytest
# RUBI_PG_BIN=/path/to/bin names the programs of another server, RUBI_SERVER_URL one that runs. The
# last lines say which server it was, and how many tests are not for it.
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0" && exit 0 ;;
    --slow) shift && set -- -m slow "$@" && slow=,spark ;;
esac
. scripts/setup.sh
rubi_setup "embedded,demo,load,references,test${slow:-}"
PATH="$PWD/.venv/bin:$PATH"

# the processes of sqlfluff may end before Python's keeper of semaphores hears of it: no finding
lint() {
    PYTHONWARNINGS=ignore::UserWarning:multiprocessing.resource_tracker \
        sqlfluff lint --processes 0 --disable-progress-bar "$@"
}
lint schema indexes functions views triggers seed grants
lint --config scripts/rubi/sqlfluff.cfg deploy scripts/rubi
squawk {schema,indexes,functions,views,triggers,seed,grants}/*.sql
ruff check --quiet scripts tests benchmarks
# no file is read by the locale of who runs a command
ruff check --quiet --preview --select PLW1514 scripts
ruff format --quiet --check scripts tests benchmarks
shellcheck scripts/*.sh .ci/run
# three processes with a server each, as tests wait often; one where they would share a given one
[ -n "${RUBI_SERVER_URL:-}" ] || set -- -n 3 --dist worksteal "$@"
exec python -m pytest "$@"
