#!/usr/bin/env bash
# Measures the base and ours side by side and writes the tables of benchmarks/results.
#     scripts/bench.sh            everything: about an hour on a machine that does nothing else
#     scripts/bench.sh --quick    small sizes, one round: does it all run?
#     scripts/bench.sh NAME …     only these: api, rules, market_data, performance, ingest_mt5
set -euo pipefail
cd "$(dirname "$0")/.."
quick=()
names=()
for argument in "$@"; do
    case "$argument" in
        -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0" && exit 0 ;;
        --quick) quick=(--quick --output "$(mktemp -d)") ;;
        *) [ -f "benchmarks/$argument.py" ] || {
            echo "bench.sh: no such benchmark: $argument" >&2
            exit 2
        }
            names+=("$argument") ;;
    esac
done
. scripts/setup.sh
rubi_setup embedded,demo,load,references,test
for name in "${names[@]:-api rules market_data performance ingest_mt5}"; do
    for one in $name; do
        echo "== $one"
        .venv/bin/python "benchmarks/$one.py" "${quick[@]}"
    done
done
