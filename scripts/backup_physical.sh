#!/usr/bin/env bash
# A physical backup with pgBackRest, verified and recorded. See: scripts/backup_physical.sh --help
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup.sh
rubi_setup embedded,backup
exec .venv/bin/python scripts/backup_physical.py "$@"
