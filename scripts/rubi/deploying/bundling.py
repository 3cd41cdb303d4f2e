"""Writes due files as one script for psql: for reviewers, and for people who may only run psql."""

from pathlib import Path

from rubi import ROOT
from rubi.deploying.sqlfiles import File

BEGINNING = (ROOT / "deploy/session.sql", ROOT / "deploy/lock.sql")
GUARD = Path(__file__).with_suffix(".sql")


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def dollars(text: str) -> str:
    """A long text as a dollar-quoted literal."""
    tag = "$body$"
    while tag in text:
        tag = tag[:-1] + "_$"
    return tag + text + tag


def script(
    todo: list[tuple[File, str]], before: dict[str, str], database: str, version: str
) -> str:
    """The script. before: SHA-256 of each file as last applied, which the script insists on."""
    parts = [
        f"-- {len(todo)} files for the database {database}, written by deploy.py {version}.\n"
        "-- Run it with psql; a second run is harmless:\n"
        f"--     psql -X -v ON_ERROR_STOP=1 -d {database} -f THIS_FILE\n"
        "-- Each file runs in a transaction of its own together with its history row.\n"
        + "".join(f"--   {file.path} ({reason}) {file.sha256[:12]}\n" for file, reason in todo),
        "\\set ON_ERROR_STOP on\n\\set QUIET on\n\\encoding UTF8\n"
        "SET client_min_messages = warning;\nSET lock_timeout = '5s';\n",
        *(path.read_text(encoding="utf-8") for path in BEGINNING),
    ]
    if todo:
        parts.append(guard([file for file, _ in todo], before))
    for file, reason in todo:
        record = (
            f"SELECT deploy.record_file({literal(file.path)}, {dollars(file.text)},"
            " 'psql', :'VERSION_NAME', :'started') \\g (tuples_only) /dev/null\n"
        )
        head = f"\\echo {file.path}\n-- {file.path} ({reason})\n"
        started = "SELECT clock_timestamp() AS started \\gset\n"
        if file.alone:
            parts.append(
                f"{head}{started}CALL deploy.drop_invalid_indexes({dollars(file.text)});\n"
                "-- a concurrent build waits for old transactions, which holds up nobody\n"
                f"SET lock_timeout = 0;\n{file.text}\n{record}SET lock_timeout = '5s';\n"
            )
        else:
            parts.append(f"{head}{started}BEGIN;\n{file.text}\n{record}RESET ROLE;\nCOMMIT;\n")
    return "\n".join(parts)


def guard(files: list[File], before: dict[str, str]) -> str:
    """Stops the script in a database whose files are neither as they were nor as they will be."""
    rows = ",\n".join(
        f"{' ' * 12}({literal(file.path)},"
        f" {literal(before.get(file.path, ''))}, {literal(file.sha256)})"
        for file in files
    )
    return GUARD.read_text(encoding="utf-8") % {
        "rows": rows,
        "history": "TRUE" if before else "FALSE",
    }
