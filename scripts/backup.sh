#!/usr/bin/env bash
# A verified backup of the database, uploaded and read back. See: scripts/backup.sh --help
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup.sh
rubi_setup embedded,backup
exec .venv/bin/python scripts/backup.py "$@"
