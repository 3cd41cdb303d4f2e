#!/usr/bin/env bash
# Freezes the files of schema/ and indexes/: these files ran in somebody's database and can't change
# there.
#     scripts/release.sh          checks, then writes schema/released.sha256 for the next release
#     scripts/release.sh --check  only says whether a released file has changed
set -euo pipefail
cd "$(dirname "$0")/.."
list=schema/released.sha256
case "${1:-}" in
    -h | --help) sed -n '2,4s/^# \{0,1\}//p' "$0" && exit 0 ;;
    '' | --check) ;;
    *) echo "error: $1 is not known: scripts/release.sh [--check]" >&2 && exit 2 ;;
esac
if [ -f "$list" ]; then
    while read -r hash path; do
        if [ "$(sha256sum "$path" 2>/dev/null | cut -d ' ' -f 1)" != "$hash" ]; then
            echo "error: $path was released and has changed: undo it and make a new file" >&2
            exit 1
        fi
    done < "$list"
fi
[ "${1:-}" = --check ] && exit 0
sha256sum schema/*.sql indexes/*.sql > "$list"
echo "$list: $(wc -l < "$list") files"
