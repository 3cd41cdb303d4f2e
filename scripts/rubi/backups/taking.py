"""Takes a backup of one snapshot: dump, roles, manifest, verified and synced."""

import gzip
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psycopg

from rubi.backups import measuring, places
from rubi.backups.places import Place
from rubi.cli import Failure, console, step, sync
from rubi.connecting import session
from rubi.servers import pgtools

LOCK = 0x52554249_62616B  # "RUBI" "bak": one backup of a database at a time, from any machine


def dump_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """The custom-format dump's entry of a manifest."""
    return next(f for name, f in manifest["files"].items() if ".dump" in name)


@contextmanager
def snapshot(dsn: str) -> Iterator[tuple[psycopg.Connection, str, datetime]]:
    """A connection in a snapshot, the snapshot's name and its time. One backup at a time."""
    with session(dsn, "backup") as connection:
        connection.execute("SET client_min_messages = warning")
        connection.autocommit = False
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if not connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()[0]:
            raise Failure("another backup of this database is at work: nothing was done")
        exported, now = connection.execute("SELECT pg_export_snapshot(), now()").fetchone()
        yield connection, exported, now


def take(
    folder: Path, s3: str, dsn: str, compress: str, recipients: list[Any]
) -> tuple[str, datetime]:
    """Make a complete, verified backup in the folder; answers its name and time.

    A failure leaves no file. Raises Failure or psycopg's errors.
    """
    with snapshot(dsn) as (connection, exported, now):
        began = monotonic()
        database = connection.info.dbname
        name = places.name_of(database, now)
        console.print(f"{now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC backup of {database}")
        for place in (Place(folder), *([Place(s3)] if s3 else [])):
            places.refuse_later(place, database, now)
        if (folder / name).exists():
            raise Failure(f"{folder / name} is there already: nothing was done")
        major = connection.info.server_version // 10000
        programs = pgtools.programs_for(major)
        env = pgtools.environment(dsn)
        compress = compress or ("zstd:1" if major >= 16 else "1")
        work = folder / f".{name}.partial"
        work.mkdir(mode=0o700)
        try:
            dump, plain = work / f"{name}.dump", work / f"{name}.sql.gz"
            measuring.refuse_unreadable(connection)
            left_out = [table for (table,) in connection.execute(measuring.SQL.LEFT_OUT)]
            without = [f"--exclude-table-data={table}" for table in left_out]
            if major >= 17:  # it can be created in one database of a server, by its name
                without.append("--exclude-extension=pg_cron")
            with step("dump") as notes:
                write_dump(programs, dump, f"--snapshot={exported}", compress, without, env)
                notes.append(f"{dump.stat().st_size:,} bytes")
                notes += [f"without the rows of {table}" for table in left_out]
            with step("roles"):
                pgtools.run(
                    programs / "pg_dumpall", "--roles-only", "--no-role-passwords",
                    "--encoding=UTF8", f"--database={database}",
                    f"--file={work / f'{name}.roles.sql'}", env=env,
                )  # fmt: skip
            with step("rows counted and summed in the same snapshot") as notes:
                measured = measuring.measure(connection)
                rows = sum(table["rows"] for table in measured["tables"].values())
                notes.append(f"{len(measured['tables'])} tables, {rows:,} rows")
            connection.rollback()  # from here on the server need not keep old rows
            with step("plain SQL made of the dump, both verified") as notes:
                check_list(programs, dump, measured)
                write_plain(programs, dump, plain)
                notes.append(f"{plain.stat().st_size:,} bytes")
            said = {"database_name": database, "taken_at": now, "left_out": left_out}
            finish(work, measured | said, recipients)
            sync(*work.iterdir(), work)
            work.rename(folder / name)
            sync(folder)
            # a name is a second: a backup that follows immediately needs another name
            sleep(max(0, 1 - (monotonic() - began)))
        except OSError as error:
            raise Failure(f"{folder}: {error.strerror or error}") from error
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return name, now


def write_dump(
    programs: Path, dump: Path, snapshot: str, compress: str, without: list[str],
    env: dict[str, str],
) -> None:  # fmt: skip
    pgtools.run(
        programs / "pg_dump", "--format=custom", f"--compress={compress}", snapshot,
        "--enable-row-security", "--lock-wait-timeout=10min",
        *without, "--encoding=UTF8",
        "-B",  # no large objects: a role that made one could stop the dump
        f"--file={dump}", env=env,
    )  # fmt: skip


def check_list(programs: Path, dump: Path, measured: dict[str, Any]) -> None:
    """pg_restore must be able to list the dump, and every table must be in the list."""
    listed = pgtools.run(programs / "pg_restore", "--list", dump)
    entries = set(re.findall(r"^\d+; \d+ \d+ TABLE DATA (\S+ \S+) ", listed, flags=re.MULTILINE))
    missing = [name for name in measured["tables"] if name.replace(".", " ", 1) not in entries]
    if missing:
        raise Failure(f"the dump lacks {missing[0]} (and {len(missing) - 1} more tables)")


def write_plain(programs: Path, dump: Path, plain: Path) -> None:
    """The dump as gzipped SQL, for which pg_restore reads every block of the dump."""
    process = subprocess.Popen(
        [programs / "pg_restore", "--file=-", dump],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=pgtools.plain_words(),
    )  # fmt: skip
    with process, gzip.open(plain, "wb", compresslevel=1) as target:
        size, sha256 = places.copy(process.stdout, target)
        said = process.stderr.read().decode(errors="replace")
    if process.returncode:
        raise pgtools.failure("pg_restore", said)
    with gzip.open(plain, "rb") as stream:  # as gzip -t does
        if (size, sha256) != places.copy(stream) or size == 0:
            raise Failure(f"{plain.name} has other contents than were written")


def finish(work: Path, manifest: dict[str, Any], recipients: list[Any]) -> None:
    """Encrypt where wanted, then write the manifest."""
    for path in sorted(work.iterdir()):
        if path.stat().st_size == 0:
            raise Failure(f"{path.name} is empty")
        if recipients:
            import pyrage

            pyrage.encrypt_file(str(path), f"{path}.age", recipients)
            path.unlink()
    files = {path.name: places.hashed(path) for path in sorted(work.iterdir())}
    text = json.dumps(
        {"format": places.FORMAT} | manifest
        | {"taken_at": manifest["taken_at"].astimezone(UTC).isoformat(), "files": files},
        indent=1,
    )  # fmt: skip
    (work / places.MANIFEST).write_text(text + "\n", encoding="utf-8")


def upload(place: Place, backup: Path, manifest: dict[str, Any]) -> None:
    """Store a backup and read it back, the manifest last."""
    for file, expected in manifest["files"].items():
        place.write(backup.name, backup / file, expected)
    path = backup / places.MANIFEST
    place.write(backup.name, path, places.hashed(path))


def remove(place: Place, names: list[str]) -> None:
    for name in names:
        place.remove(name)
        console.print(f"removed {place}/{name}")
