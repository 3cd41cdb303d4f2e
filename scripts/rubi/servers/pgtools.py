"""PostgreSQL's own programs for a server: the right version, its connection, errors in one line."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from rubi.cli import Failure
from rubi.servers import embedded


def programs_for(major: int) -> Path:
    """Folder of pg_dump, pg_restore, psql of a server's major version.

    RUBI_PG_BIN's, the machine's, those in PATH, or the embedded server's. Another major won't do:
    a newer pg_dump writes settings that an older server refuses.
    """
    chosen = os.environ.get("RUBI_PG_BIN")
    found = shutil.which("pg_dump")
    for folder in (
        chosen and Path(chosen),
        Path(f"/usr/lib/postgresql/{major}/bin"),
        Path(f"/opt/homebrew/opt/postgresql@{major}/bin"),
        found and Path(found).resolve().parent,
    ):
        if folder and (folder / "pg_dump").exists():
            said = subprocess.run(
                [folder / "pg_dump", "-V"], capture_output=True, encoding="utf-8", errors="replace"
            )
            if (match := re.search(r"\d+", said.stdout)) and int(match[0]) == major:
                return folder
    if major not in embedded.SUITES:
        raise Failure(
            f"no pg_dump of PostgreSQL {major} here: apt-get install postgresql-client-{major}, or "
            "name its folder with RUBI_PG_BIN"
        )
    return embedded.unpacked(major)


def environment(dsn: str) -> dict[str, str]:
    """Variables that make libpq's programs connect as a connection string does.

    In the environment of a process only its user and root can read a password. A service goes into
    the variables: what its file says would win over them. A server has been reached by the same
    string before, so that the service is known.
    """
    # libpq has looked everything up before it waits for the server
    given = {"application_name": "rubi backup"} | conninfo_to_dict(dsn)
    attempt = pq.PGconn.connect_start(make_conninfo(**given).encode())
    try:
        meant = {
            option.envvar.decode(): option.val.decode()
            for option in attempt.info
            if option.val is not None and option.envvar
        }
    finally:
        attempt.finish()
    meant.pop("PGSERVICE", None)
    kept = {name: value for name, value in plain_words().items() if name != "PGSERVICE"}
    return kept | meant


def plain_words() -> dict[str, str]:
    """The environment, for programs whose messages are read here: in English, not in LC_ALL's
    language."""
    kept = dict(os.environ)
    if everything := kept.pop("LC_ALL", ""):
        kept["LANG"] = kept["LC_CTYPE"] = everything
    return kept | {"LC_MESSAGES": "C"}


def failure(program: Path | str, said: str) -> Failure:
    """The message of a program of PostgreSQL, in one line, without its warnings."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [x for x in lines if re.search(r"\b(error|fatal|panic):", x, re.IGNORECASE)]
    name = Path(program).name
    line = re.sub(rf"^{name}: (error: )?", "", (errors or lines or ["no message"])[0])
    # behind it a dump has the word of the server, in front of it are details of warnings
    of_error = said[said.index(errors[0]) :] if errors else ""
    if detail := re.search(rf"^{name}: detail: (?!Query|Command)(.*)$", of_error, re.MULTILINE):
        line += f" ({detail[1]})"
    return Failure(f"{name} failed: {line}")


def last_words(log: Path, begin: int = 0) -> str:
    """The last fatal message of a server's log from a byte on, else its last line."""
    try:
        lines = log.read_bytes()[begin:].decode(errors="replace").splitlines()
    except OSError:
        lines = []
    grave = (line for line in reversed(lines) if "FATAL" in line or "PANIC" in line)
    return next(grave, (lines or ["no log"])[-1])


def run(
    program: Path, *arguments: object, env: dict[str, str] | None = None, as_server: bool = False
) -> str:
    """Run a program to its end, as the server's user if so said; its output.

    Raises Failure when it fails.
    """
    done = subprocess.run(
        [program, *map(str, arguments)],
        env=env or plain_words(),
        stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace",
        **(embedded.as_server_user() if as_server else {}),
    )  # fmt: skip
    if done.returncode:
        raise failure(program, done.stderr.strip() or done.stdout)
    return done.stdout
