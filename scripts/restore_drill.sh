#!/usr/bin/env bash
# Proves the newest backup by restoring it. See: scripts/restore_drill.sh --help
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup.sh
rubi_setup embedded,backup
exec .venv/bin/python scripts/restore_drill.py "$@"
