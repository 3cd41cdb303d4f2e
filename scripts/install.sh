#!/usr/bin/env bash
# Installs the database on any server, checks it, and may be run again. See: scripts/install.sh --help
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup.sh
rubi_setup install
trap '' INT # until Python can end without a traceback: scripts/rubi/early.py
exec .venv/bin/python scripts/install.py "$@"
