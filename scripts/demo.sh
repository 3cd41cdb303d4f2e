#!/usr/bin/env bash
# A running trading database on real market data. See: scripts/demo.sh --help
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup.sh
rubi_setup embedded,demo,load,report
trap '' INT # until Python can end without a traceback: scripts/rubi/early.py
exec .venv/bin/python scripts/demo.py "$@"
