#!/usr/bin/env bash
# A running trading database on real market data. See: scripts/demo.sh --help
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup.sh
rubi_setup embedded,demo,report
exec .venv/bin/python scripts/demo.py "$@"
