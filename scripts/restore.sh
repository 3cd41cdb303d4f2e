#!/usr/bin/env bash
# A backup into a new database, compared with its manifest. See: scripts/restore.sh --help
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup.sh
rubi_setup embedded,backup
exec .venv/bin/python scripts/restore.py "$@"
