"""The catalog of a database, its differences from another, and the catalog that files would make.

The expected catalog is built from the files in a scratch database on the same server, in one
transaction that is rolled back, so every definition has the server's own spelling.
"""

import difflib
import hashlib
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import sleep

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import tuple_row

from rubi.cli import Failure, console, one_line
from rubi.connecting import AT_WORK
from rubi.deploying.sqlfiles import File, SqlFailure, run_statements

FOLDER = Path(__file__).resolve().parent
PREFIX = "rubi_scratch_"


@dataclass(frozen=True)
class Item:
    """One object of a catalog. show is the statement that shows it."""

    kind: str
    name: str
    parent: str
    definition: str
    show: str


@dataclass(frozen=True)
class Difference:
    """A difference of an object from the files. state: missing, extra or changed."""

    state: str
    kind: str
    name: str
    detail: str
    show: str

    def __str__(self) -> str:
        words = {
            "missing": "made by the files, but not here",
            "extra": "here, but made by no file",
            "changed": "differs from the files",
        }
        return f"{self.kind} {self.name}: {words[self.state]}"

    def json(self) -> dict[str, str]:
        return asdict(self)


Catalog = dict[tuple[str, str], Item]


def snapshot(connection: psycopg.Connection) -> Catalog:
    """Everything in the catalog that files can make, by kind and name."""
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute("SET LOCAL jit = off")
        # the spelling of definitions depends on these settings
        cursor.execute("SET LOCAL search_path = pg_catalog")
        cursor.execute("SET LOCAL timezone = 'UTC'")
        cursor.execute("SET LOCAL intervalstyle = postgres")
        queries = ["catalog.sql", "catalog_parts.sql", "catalog_roles.sql"]
        if cursor.execute("SELECT FROM pg_extension WHERE extname = 'timescaledb'").rowcount:
            queries.append("catalog_timescaledb.sql")
        rows = []
        for name in queries:
            rows += cursor.execute((FOLDER / name).read_text(encoding="utf-8")).fetchall()
        cursor.execute("SET LOCAL search_path TO DEFAULT")
    return {(row[0], row[1]): Item(*row) for row in rows}


def compare(expected: Catalog, live: Catalog) -> list[Difference]:
    """Differences of the live catalog from the expected one; without parts of whole objects."""
    foreign = {name for kind, name in expected if kind == "held"} - {
        name for kind, name in live if kind == "held"
    }
    keys = {key for key in expected | live if key[0] != "held" and key[0] not in foreign}
    whole = {item.name for key, item in expected.items() if key not in live and not item.parent}
    whole |= {item.name for key, item in live.items() if key not in expected and not item.parent}
    found = []
    for key in sorted(keys, key=lambda key: (key[0] != "role", key)):  # it takes rights along
        was, here = expected.get(key), live.get(key)
        item = here or was
        if was and here and was.definition == here.definition:
            continue
        if was and here and item.kind == "extension":  # no file says which version
            continue
        if not (was and here) and item.parent in whole:
            continue
        state = "changed" if was and here else "extra" if here else "missing"
        detail = "\n".join(
            line
            for line in difflib.unified_diff(
                was.definition.splitlines() if was else [],
                here.definition.splitlines() if here else [],
                lineterm="",
                n=1,
            )
            if not line.startswith(("---", "+++", "@@"))
        )
        found.append(Difference(state, item.kind, item.name, detail, item.show))
    return found


def text_of(catalog: Catalog) -> str:
    """A catalog to be committed: bodies as a hash, differences between servers left out."""
    lines = []
    for item in catalog.values():
        if item.kind in ("held", "extension") or item.definition == "all":
            continue
        if item.name.endswith(".ts_insert_blocker"):  # older versions of TimescaleDB have it
            continue
        said, _, body = item.definition.partition("\nAS ")
        if item.kind == "view":  # servers spell queries differently
            said = "\n".join(line for line in said.splitlines() if line[:1] not in (" ", ""))
        elif item.kind == "membership":  # PostgreSQL 15 has no options of it
            said = said.removesuffix(" inherit true set true")
        elif body:
            said = (
                said.partition("\n")[2] + f" body {hashlib.sha256(body.encode()).hexdigest()[:12]}"
            )
        lines.append(f"{item.kind} {item.name}: {' '.join(said.split())}")
    return "\n".join(sorted(lines)) + "\n"


def run_all(connection: psycopg.Connection, files: Iterable[File]) -> None:
    """Run files in the scratch transaction, as if each were committed."""
    for file in files:
        try:
            run_statements(connection, file, in_scratch=True)
        except SqlFailure as failure:
            if failure.error.sqlstate == "42501" and "extension" in str(failure):
                raise Failure(
                    f"{failure}: no scratch database can be built. Have an empty database with the "
                    "extensions made for that, and name it with --scratch"
                ) from failure
            raise
        # checks of a commit run here; roles do not outlive a file
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        connection.execute("SET CONSTRAINTS ALL DEFERRED")
        connection.execute("RESET ROLE")


@contextmanager
def scratch(connection: psycopg.Connection, name: str = "") -> Iterator[psycopg.Connection]:
    """An open transaction in an empty database without any role of ours; rolled back at the end.

    name is a database to use, empty except for extensions; without a name one is made and dropped.
    Roles belong to the whole server: in this transaction they have other names, which no other
    session sees.
    """
    given = bool(name)
    if not given:
        name = create_scratch(connection)
    parameters = make_conninfo(
        connection.info.dsn, password=connection.info.password, dbname=name, application_name=PREFIX
    )
    try:
        with psycopg.connect(parameters, autocommit=True, prepare_threshold=None) as inside:
            if given and any(key[0] in ("table", "view", "function") for key in snapshot(inside)):
                raise Failure(f"database {name} is not empty, so not fit for a scratch database")
            inside.execute(f"{AT_WORK}; SET client_min_messages = error")
            inside.execute("SET lock_timeout = '10s'")
            with inside.transaction(force_rollback=True):
                rename_roles(inside)
                yield inside
    finally:
        if not given:
            drop_scratch(connection, name)


def create_scratch(connection: psycopg.Connection) -> str:
    """Create a scratch database, and drop those that a killed run left. Answers its name."""
    now = datetime.now(UTC)
    old = f"{PREFIX}{now - timedelta(hours=1):%Y%m%d%H%M%S}"
    for (left,) in connection.execute(
        "SELECT d.datname FROM pg_database AS d WHERE d.datname ~ %s AND d.datname < %s"
        " AND pg_has_role(d.datdba, 'USAGE')"
        " AND NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.datid = d.oid)",
        (f"^{PREFIX}\\d{{14}}_", old),
    ).fetchall():
        drop_scratch(connection, left)
    name = f"{PREFIX}{now:%Y%m%d%H%M%S}_{secrets.token_hex(3)}"
    for attempt in range(20):
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            return name
        except psycopg.errors.ObjectInUse:  # somebody else copies template1, or looks at it
            sleep(0.1 * (attempt + 1))
        except psycopg.errors.InsufficientPrivilege as error:
            raise Failure(
                f"{connection.info.user} may not create a scratch database: grant CREATEDB, or "
                "name an empty database with --scratch"
            ) from error
    raise Failure("no scratch database: other sessions keep using template1")


def drop_scratch(connection: psycopg.Connection, name: str) -> None:
    """Drop a database that was made for a while; say so where one is left, as without a server."""
    for force in (" WITH (FORCE)", ""):
        try:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {}" + force).format(sql.Identifier(name))
            )
            return
        except psycopg.Error as error:
            reason = one_line(error)
    console.print(f"  database {name} is left: {reason}")


def rename_roles(connection: psycopg.Connection) -> None:
    """Rename our roles, so that the files make new ones in this transaction."""
    for (role,) in connection.execute(
        "SELECT rolname FROM pg_roles WHERE rolname ~ '^rubi_'"
        " AND rolname NOT IN ('rubi_admin', session_user)"
    ).fetchall():
        try:
            with connection.transaction():
                connection.execute(
                    sql.SQL("ALTER ROLE {} RENAME TO {}").format(
                        sql.Identifier(role), sql.Identifier(f"scratch_{role}")
                    )
                )
        except psycopg.errors.InsufficientPrivilege:
            console.print(f"  role {role} is somebody else's: its settings are not compared")


# The argument of enable_timescale_policies() in a database where it was called.
POLICIES = """
SELECT min(j.config ->> 'compress_after') AS after
FROM timescaledb_information.jobs AS j
WHERE j.hypertable_schema = 'public' AND j.hypertable_name = 'market_data'
"""


def enable_policies(connection: psycopg.Connection, inside: psycopg.Connection) -> None:
    """Call enable_timescale_policies() in the scratch transaction as it was called here, if so."""
    there = "SELECT to_regprocedure('public.enable_timescale_policies(interval)')"
    if any(one.execute(there).fetchone()[0] is None for one in (connection, inside)):
        return
    (compress_after,) = connection.execute(POLICIES).fetchone()
    if compress_after is None:
        return
    # policies log in as the owner of their tables, a right that the administrator gives
    owner, may_log_in = inside.execute(
        "SELECT r.rolname, r.rolcanlogin FROM pg_class AS c JOIN pg_roles AS r"
        " ON c.relowner = r.oid WHERE c.oid = 'public.market_data'::regclass"
    ).fetchone()
    if not may_log_in:
        inside.execute(sql.SQL("ALTER ROLE {} LOGIN").format(sql.Identifier(owner)))
    inside.execute("SELECT FROM public.enable_timescale_policies(%s::interval)", [compress_after])


def expected(connection: psycopg.Connection, files: Iterable[File], name: str = "") -> Catalog:
    """The catalog that files make on this server, with its policies where they are enabled."""
    with scratch(connection, name) as inside:
        run_all(inside, files)
        enable_policies(connection, inside)
        return snapshot(inside)
