#!/usr/bin/env bash
# Measures the base and ours side by side and writes the tables of benchmarks/results.
#     scripts/bench.sh            everything: about an hour on a machine that does nothing else
#     scripts/bench.sh --quick    small sizes, one round, nothing kept: does it all run?
#     scripts/bench.sh NAME …     only these: api, rules, tried, market_data, performance, …
set -euo pipefail
cd "$(dirname "$0")/.."
quick=
names=()
for argument in "$@"; do
    case "$argument" in
        -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0" && exit 0 ;;
        --quick) quick=$(mktemp -d) ;;
        *)
            if [ ! -f "benchmarks/$argument.py" ]; then
                echo "bench.sh: no such benchmark: $argument" >&2
                exit 2
            fi
            names+=("$argument")
            ;;
    esac
done
[ "${#names[@]}" -gt 0 ] || names=(
    api rules tried market_data performance ingest_mt5 gateway claims events risk migrate trouble
    held_snapshot market_feeds year
)
. scripts/setup.sh
rubi_setup embedded,demo,load,references,test
for name in "${names[@]}"; do
    echo "== $name"
    small=()
    # the whole of it, which is the default, takes days
    [ "$name" != year ] || small=(--scale 0.02 --days 30)
    if [ -n "$quick" ]; then
        case "$name" in
            market_data) small=(--bars 100000 --runs 1 --millions '' --output "$quick") ;;
            market_feeds) small=(--bars 100000 --ticks 50000 --rounds 1 --output "$quick") ;;
            events) small=(--turns 10 --output "$quick") ;;
            gateway) small=(--deals 2000 --samples 3 --output "$quick") ;;
            ingest_mt5) small=(--deals 2000 --rounds 1 --output "$quick") ;;
            performance) small=(--orders 10000 --strategies 10 --runs 1 --output "$quick") ;;
            migrate) small=(--rows 50000 --rounds 1 --output "$quick") ;;
            *) small=(--quick --output "$quick") ;;
        esac
    fi
    .venv/bin/python "benchmarks/$name.py" "${small[@]}"
done
