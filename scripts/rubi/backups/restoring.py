"""Restores a backup: fetched, checked, made under another name, compared, then renamed."""

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import psycopg
import typer
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from rubi.backups import measuring, places
from rubi.backups.places import Place
from rubi.cli import Failure, console, moment, one_line, step
from rubi.connecting import session
from rubi.deploying import catalog, open_rights
from rubi.servers import pgtools

Source = Annotated[str, typer.Argument(help="backup, folder of backups, or s3://bucket/path")]
At = Annotated[str, typer.Option(help="newest backup until a day or time: 2026-11-20")]
Identity = Annotated[Path | None, typer.Option(help="file with the age or SSH private key")]
Jobs = Annotated[int, typer.Option(min=1, help="connections that restore in parallel")]
# of roles.sql, one statement a line, as pg_dumpall writes them
ROLE = re.compile(r'(?:CREATE|ALTER) ROLE ("(?:[^"]|"")+"|[^\s;]+)')
MEMBER = re.compile(r'GRANT .+? TO ("(?:[^"]|"")+"|[^\s;]+)')


class Fetched(NamedTuple):
    """A backup that lies here, its files whole and in plain text."""

    name: str
    manifest: dict[str, Any]
    dump: Path
    roles: Path


def find(source: str, at: str, database: str = "") -> tuple[Place, str]:
    """Place and name of the backup that is meant; without a name the place is a backup."""
    if source.endswith((".dump", ".dump.age")):
        source = str(Path(source).parent)
    place = Place(source)
    if place.itself:
        return place, ""
    limit = moment(at, "--at") if at else None
    if len(at) == 10:  # a day, to its end
        limit += timedelta(days=1, microseconds=-1)
    names = place.names(database)
    if len({places.NAME.fullmatch(name)[1] for name in names}) > 1:
        raise Failure(f"{place} has backups of several databases: name one with --database")
    wanted = [name for name in names if limit is None or places.time_of(name) <= limit]
    if not wanted:
        partial = len(place.names(database, complete=False))
        raise Failure(
            f"{place}: no complete backup{f' until {at}' if at else ''}"
            + (f", {partial} without a manifest" if partial else "")
        )
    return place, wanted[-1]


@contextmanager
def fetched(source: str, at: str, database: str, identity: Path | None) -> Iterator[Fetched]:
    """Bring a backup here, check it against its manifest, decrypt it. Removed afterwards."""
    place, name = find(source, at, database)
    manifest = place.manifest(name)
    called = name or place.itself
    folder = Path(tempfile.mkdtemp(prefix="rubi-restore-", dir=None))
    try:
        with step(f"backup {called} read from {place}, checksums right"):
            for file, expected in manifest["files"].items():
                if ".sql.gz" not in file:  # the same sentence for people
                    place.fetch(name, file, folder / file, expected)
        if any(path.suffix == ".age" for path in folder.iterdir()):
            decrypt(folder, identity)
        yield Fetched(
            called, manifest, next(folder.glob("*.dump")), next(folder.glob("*.roles.sql"))
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def decrypt(folder: Path, identity: Path | None) -> None:
    import pyrage

    if identity is None:
        raise Failure("the backup is encrypted: name the file of the private key with --identity")
    text = identity.read_bytes()
    try:
        if b"PRIVATE KEY" in text:
            key: Any = pyrage.ssh.Identity.from_buffer(text)
        else:
            line = re.search(rb"^AGE-SECRET-KEY-[0-9A-Z]+", text, flags=re.MULTILINE)
            key = pyrage.x25519.Identity.from_str(line[0].decode() if line else "")
        for path in list(folder.glob("*.age")):
            pyrage.decrypt_file(str(path), str(path.with_suffix("")), [key])
            path.unlink()
    except (pyrage.IdentityError, pyrage.DecryptError) as error:
        raise Failure(f"{identity} does not open this backup: {error}") from error


def restore_into(backup: Fetched, dsn: str, *, jobs: int = 1, force: bool = False) -> str:
    """Restore a backup into the database a connection string names; its name.

    The database is made under another name, and renamed when its contents equal the manifest. A
    database that has the name already must be empty or force be given; then it keeps its data under
    a new name.
    """
    manifest = backup.manifest
    with session(make_conninfo(dsn, dbname="postgres"), "restore") as server:
        target = database_of(dsn)
        check_versions(server, manifest)
        check_target(server, dsn, target, force)
        made = f"{target[:40]}_restoring_{secrets.token_hex(4)}"
        try:
            with step("roles") as notes:
                notes.append(restore_roles(server, backup.roles.read_text(encoding="utf-8")))
            create(server, made, manifest["database"])
            fill(backup, make_conninfo(dsn, dbname=made), jobs)
            with step("every table compared with the manifest") as notes:
                notes.append(compare(make_conninfo(dsn, dbname=made), manifest))
        except BaseException:
            catalog.drop_scratch(server, made)
            raise
        try:
            keep = check_target(server, dsn, target, force)  # hours may have passed
            kept = swap(server, made, target, backup.name if keep else "")
        except (Failure, psycopg.Error) as error:
            raise Failure(f"{one_line(error)}; what was restored is in database {made}") from error
    console.print(
        f"database {target} is equal to backup {backup.name}"
        + (f"; the former database is now {kept}" if kept else "")
    )
    return target


def database_of(dsn: str) -> str:
    """The database that libpq would connect to; one that is only the user's name is not meant."""
    found = pgtools.environment(dsn)
    name, user = found.get("PGDATABASE", ""), found.get("PGUSER")
    if not name or (name == user and not is_named(dsn)):
        raise Failure("name the database to restore into: PGDATABASE, or dbname in --dsn")
    return name


def is_named(dsn: str) -> bool:
    """Whether a connection string or a variable names a database."""
    return bool(conninfo_to_dict(dsn).get("dbname") or os.environ.get("PGDATABASE"))


def check_versions(server: psycopg.Connection, manifest: dict[str, Any]) -> None:
    """Raise Failure where the dump can't be restored on this server."""
    found, wanted = server.info.server_version // 10000, int(manifest["postgresql"].split(".")[0])
    if found < wanted:
        raise Failure(f"the dump is of PostgreSQL {wanted}, this server is {found}")
    if not measuring.one(server, "SELECT usesuper FROM pg_user WHERE usename = current_user")[0]:
        raise Failure(
            "restoring hypertables needs a superuser: on a managed service use its snapshot, or "
            "restore elsewhere and copy the tables (docs/guides/backups.md)"
        )
    version = manifest["timescaledb"]
    versions = [
        name
        for (name,) in server.execute(
            "SELECT version FROM pg_available_extension_versions WHERE name = 'timescaledb'"
        )
    ]
    if version and version not in versions:
        here = ", ".join(sorted(versions)) or "none"
        raise Failure(
            f"the dump needs TimescaleDB {version}, this server has {here}: install {version}, "
            "restore, then ALTER EXTENSION timescaledb UPDATE"
        )


def check_target(server: psycopg.Connection, dsn: str, target: str, force: bool) -> bool:
    """Whether the target holds something. Raises Failure when its contents may not be replaced."""
    if not server.execute("SELECT FROM pg_database WHERE datname = %s", [target]).rowcount:
        return False
    with session(make_conninfo(dsn, dbname=target), "restore") as connection:
        tables = len(connection.execute(measuring.SQL.TABLES).fetchall())
    if tables and not force:
        raise Failure(
            f"database {target} has {tables} tables: restore into another one, or with --force"
        )
    return tables > 0


def bare(name: str) -> str:
    """A role's name without quotes."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def restore_roles(server: psycopg.Connection, text: str) -> str:
    """Create missing roles with their attributes, settings and memberships; answers the changes.

    A role that is there already is left as it is. No role gets a password: the dump has none.
    """
    here = {name for (name,) in server.execute("SELECT rolname FROM pg_roles")}
    named = {bare(name) for name in re.findall(r"^CREATE ROLE (\S+);$", text, re.MULTILINE)}
    made = named - here
    for line in text.splitlines():
        found = ROLE.match(line) or MEMBER.match(line)
        if not found or bare(found[1]) not in made:
            continue
        if line.startswith("GRANT"):
            # the grantor may be another role here; a second grant of one right is harmless
            line = re.sub(r" GRANTED BY \S+;$", ";", line)
        server.execute(line)
    return f"{len(made)} of {len(named)} made"


def create(server: psycopg.Connection, name: str, like: dict[str, Any]) -> None:
    """A new database with the owner, rights and settings of the one that was dumped."""
    provider = {"i": "icu", "b": "builtin"}.get(like["provider"])
    server.execute(
        sql.SQL(
            "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {} {}"
            " OWNER {}"
        ).format(
            sql.Identifier(name), sql.Literal(like["encoding"]), sql.Literal(like["collate"]),
            sql.Literal(like["ctype"]),
            sql.SQL(f"LOCALE_PROVIDER {provider} {provider}_LOCALE {{}}").format(like["locale"])
            if provider else sql.SQL("LOCALE_PROVIDER libc"),
            sql.Identifier(like["owner"]),
        )
    )  # fmt: skip
    on = sql.Identifier(name)
    server.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM public").format(on))
    for role, right in like["rights"]:
        server.execute(
            sql.SQL("GRANT {} ON DATABASE {} TO {}").format(
                sql.SQL(right), on, sql.SQL("public") if role == "public" else sql.Identifier(role)
            )
        )
    for setting in like["settings"]:
        key, _, value = setting.partition("=")
        server.execute(
            sql.SQL("ALTER DATABASE {} SET {} = {}").format(on, sql.Identifier(key), value)
        )


def fill(backup: Fetched, dsn: str, jobs: int) -> None:
    """TimescaleDB's way: pre_restore, the dump, post_restore; then ANALYZE."""
    with session(dsn, "restore") as connection:
        major = connection.info.server_version // 10000
        programs, env = pgtools.programs_for(major), pgtools.environment(dsn)
        if backup.manifest["timescaledb"]:
            connection.execute("SET client_min_messages = error")
            connection.execute(
                sql.SQL("CREATE EXTENSION IF NOT EXISTS timescaledb VERSION {}").format(
                    sql.Literal(backup.manifest["timescaledb"])
                )
            )
            connection.execute("SELECT public.timescaledb_pre_restore()")
        common = (programs / "pg_restore", f"--dbname={connection.info.dbname}", "--exit-on-error")
        with step("dump restored") as notes:
            for part in parts(jobs):
                pgtools.run(*common, *part, backup.dump, env=env)
            if jobs > 1:
                notes.append(f"{jobs} in parallel")
        if backup.manifest["timescaledb"]:
            connection.execute("SELECT public.timescaledb_post_restore()")
    with step("ANALYZE"), session(dsn, "restore") as connection:
        if connection.execute(
            "SELECT current_setting('timescaledb.restoring', TRUE) = 'on'"
        ).fetchone()[0]:
            raise Failure("timescaledb.restoring is still on: SELECT timescaledb_post_restore()")
        open_rights.close(connection)
        connection.execute("ANALYZE")


def parts(jobs: int) -> list[list[str]]:
    """Calls of pg_restore: one, or TimescaleDB's catalog first and then the rest in parallel."""
    if jobs == 1:
        return [[]]
    own = ("_timescaledb_catalog", "_timescaledb_config")
    return [
        ["--section=pre-data"],
        ["--section=data", *(f"--schema={name}" for name in own)],
        ["--section=data", *(f"--exclude-schema={name}" for name in own), f"--jobs={jobs}"],
        ["--section=post-data", f"--jobs={jobs}"],
    ]


def compare(dsn: str, manifest: dict[str, Any]) -> str:
    """Measure a database; raise Failure where it differs from the manifest."""
    with psycopg.connect(dsn, application_name="rubi restore") as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        found = measuring.measure(connection)
        behind = measuring.sequences_behind(connection)
    differs = measuring.differences(manifest, found) + behind
    if differs:
        raise Failure(
            f"not equal to the manifest: {'; '.join(differs[:5])} ({len(differs)} in all)"
        )
    rows = sum(table["rows"] for table in found["tables"].values())
    return f"{len(found['tables'])} tables, {rows:,} rows equal"


def swap(server: psycopg.Connection, made: str, target: str, name: str) -> str:
    """Give the restored database its name.

    A database that had this name gets a new one, made of the backup's, which is answered; an empty
    one is dropped.
    """
    kept = ""
    old = sql.Identifier(target)
    if not name:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(old))
    else:
        kept = f"{target[:30]}_before_{name[-15:]}_{secrets.token_hex(2)}"
        rename(server, target, kept)
    rename(server, made, target)
    return kept


def rename(server: psycopg.Connection, old: str, new: str) -> None:
    """Rename a database to which a pool may connect again and again."""
    name = sql.Identifier(old)
    server.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS FALSE").format(name))
    try:
        server.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [old]
        )
        server.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(name, sql.Identifier(new)))
        name = sql.Identifier(new)
    finally:
        server.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS TRUE").format(name))
