"""Adopts a database of the base system: old tables aside, our files, rows moved and proved."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple

import psycopg
from psycopg import sql

from rubi.cli import Failure, console, sync
from rubi.deploying import locks
from rubi.deploying.history import record_file
from rubi.deploying.sqlfiles import read_files, run_statements
from rubi.moving.command import begun_at, run_moves, show_proofs
from rubi.moving.mapping import ADMINISTRATOR
from rubi.moving.mapping import plan as plan_moves
from rubi.moving.options import TABLES, Options
from rubi.moving.pipeline import Mover
from rubi.moving.proof import Measure
from rubi.moving.sources import Base, safe_name
from rubi.queries import queries, run_each
from rubi.servers import pgtools

SQL = queries(__file__)
SCHEMA = "base_3_0_0"
LATER = ("account_snapshots", "market_data")  # most rows, no references to them
TYPES = ("signal_type_enum", "signal_status_enum")
VIEWS = ("user_trading_stats", "open_positions_with_session")
TOUCHES = "update_updated_at_column"  # the base's only trigger function
# what statements over the base's objects are made of
NAMED = {"tables": list(TABLES), "views": list(VIEWS), "types": list(TYPES), "schema": SCHEMA}
RATE = 4000  # rows a second to expect of tables with triggers, on a small machine


class Table(NamedTuple):
    name: str
    rows: int
    bytes: int


def state(connection: psycopg.Connection) -> str:
    """base, begun (bars or snapshots are still to move), ours, or other."""
    here, moved, deployed = connection.execute(
        "SELECT (SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        " AND tablename = ANY (%s)), to_regnamespace(%s) IS NOT NULL,"
        " to_regclass('deploy.history') IS NOT NULL", [list(TABLES), SCHEMA],
    ).fetchone()  # fmt: skip
    if deployed:
        return "begun" if moved else "ours"
    if here < len(TABLES) or moved:
        return "other"
    kind = connection.execute(
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = 'public.users'::regclass AND attname = 'created_at'"
    ).fetchone()
    return "base" if kind and kind[0] == "timestamp without time zone" else "other"


def strangers(connection: psycopg.Connection) -> list[str]:
    """Objects of others that hang on the base's tables and would prevent their removal."""
    rows = connection.execute(
        SQL.STRANGERS,
        {"tables": [f"public.{t}" for t in TABLES], "views": list(VIEWS), "function": TOUCHES},
    ).fetchall()
    return [row[0] for row in rows]


def tables(connection: psycopg.Connection) -> list[Table]:
    found = []
    for name in TABLES:
        query = sql.SQL(
            "SELECT count(*), pg_total_relation_size('public.{0}') FROM public.{0}"
        ).format(sql.SQL(name))
        found.append(Table(name, *connection.execute(query).fetchone()))
    return found


def show(found: list[Table], zone: str, max_lock: float) -> None:
    for table in found:
        how = "in batches, the API at work" if table.name in LATER else "under the lock"
        size = f"{table.bytes / 1e6:,.1f} MB"
        console.print(f"{table.name}: {table.rows:,} rows, {size}, moved {how}")
    rows = sum(table.rows for table in found if table.name not in LATER)
    console.print(
        f"1. backup of the schema public\n"
        f"2. ACCESS EXCLUSIVE on the nine tables for about {10 + rows / RATE:.0f} s, at most"
        f" {max_lock:g} s, else all is taken back: old tables aside, our files, {rows:,} rows\n"
        f"3. {', '.join(LATER)} as hypertables, a batch of 10,000 rows a transaction with ROW"
        " EXCLUSIVE; a new chunk of snapshots locks mt5_sessions against writers for that batch\n"
        f"4. proof of every table, then DROP of the schema {SCHEMA}\n"
        f"times without zone are read as {zone}; the password of {ADMINISTRATOR} is locked, that"
        " of rubi_app removed; users with a password of unknown form are locked"
    )


def check(connection: psycopg.Connection) -> str:
    """The base's tables, when they can be adopted. Raises Failure."""
    found = state(connection)
    if found == "ours":
        raise Failure("this database is ours already: .venv/bin/python scripts/deploy.py status")
    if found == "other":
        raise Failure("this is not the base system 3.0.0: its nine tables are not in public")
    if found == "base" and (others := strangers(connection)):
        raise Failure(f"these hang on the base's tables, drop them first: {', '.join(others)}")
    return found


def back_up(connection: psycopg.Connection, dsn: str, folder: Path) -> Path:
    """A custom-format dump of the schema public, read back. Raises Failure."""
    programs = pgtools.programs_for(connection.info.server_version // 10000)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{safe_name(connection.info.dbname)}_base_{datetime.now(UTC):%Y%m%d_%H%M%S}.dump"
    target = folder / name
    target.touch(mode=0o600)  # before there are hashes of passwords in it
    try:
        pgtools.run(
            programs / "pg_dump", "--format=custom", "--schema=public", f"--file={target}",
            env=pgtools.environment(dsn),
        )  # fmt: skip
        pgtools.run(programs / "pg_restore", "--list", target)
        sync(target, folder)
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, Failure):
            raise Failure(f"no backup, so nothing was changed: {error}") from error
        raise
    return target


@contextmanager
def locked(connection: psycopg.Connection, wait: float, lock_timeout: float) -> Iterator[float]:
    """A transaction with the base's tables locked against everybody. Answers when the lock came.

    Tries for lock_timeout seconds at a time, since others queue behind, until wait has passed.
    """
    names = sql.SQL(", ").join(sql.Identifier("public", table) for table in TABLES)
    end = monotonic() + wait
    with locks.Watch(connection) as watch:
        for attempt in count():
            connection.execute("BEGIN")
            try:
                connection.execute(f"SET LOCAL lock_timeout = {int(lock_timeout * 1000)}")
                with watch.one_try(again=attempt > 0):
                    connection.execute(
                        sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(names)
                    )
                break
            except psycopg.Error as error:
                connection.execute("ROLLBACK")
                if not locks.is_passing(error) or monotonic() > end:
                    why = watch.blockers or "another session holds them"
                    raise Failure(f"the tables could not be locked: {why}") from error
            sleep(locks.PAUSES[min(attempt, len(locks.PAUSES) - 1)])
    try:
        yield monotonic()
    except BaseException:
        if not connection.closed and not connection.broken:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def move_aside(connection: psycopg.Connection) -> None:
    """The base's objects into a schema of their own, and its rights back."""
    run_each(connection, SQL.ASIDE, NAMED)
    if connection.execute("SELECT FROM pg_roles WHERE rolname = 'rubi_app'").rowcount:
        # what the base granted by default, as who deploys; our own files grant as the owner
        for kind in ("TABLES", "SEQUENCES"):
            connection.execute(
                f"ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON {kind} FROM rubi_app"
            )
        try:
            with connection.transaction():
                connection.execute("ALTER ROLE rubi_app PASSWORD NULL")
        except psycopg.errors.InsufficientPrivilege:
            console.print("rubi_app was made by somebody else: REMOVE ITS PASSWORD there")


def install(connection: psycopg.Connection) -> None:
    """All files, recorded, in the transaction that is open; snapshots are held in full."""
    for file in read_files():
        run_statements(connection, file, in_scratch=True)
        record_file(connection, file, "runner")
        connection.execute("RESET ROLE")
    # a night between the move and its proof would thin them, and nobody was asked
    connection.execute("CALL deploy.become_owner()")
    connection.execute(SQL.HOLD)
    connection.execute("RESET ROLE")
    console.print("snapshots are held in full: docs/guides/lifecycle.md")
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    connection.execute("SET CONSTRAINTS ALL DEFERRED")


def options_of(zone: str, keep: bool) -> Options:
    passwords = {} if keep else {ADMINISTRATOR: "!"}
    return Options(zone=zone, passwords=passwords, lock_passwords=True)


def mover_of(connection: psycopg.Connection, zone: str, names: tuple[str, ...], keep: bool):
    source = Base(connection, SCHEMA)
    options = options_of(zone, keep)
    made = begun_at(connection, source)
    moves, _ = plan_moves(connection, source, options, names, made)
    return Mover(connection, source, made=made), moves


def prove_all(proofs: dict[str, list[Measure]]) -> bool:
    return all(measure.holds for measures in proofs.values() for measure in measures)


def switch(
    connection: psycopg.Connection, zone: str, began: float, max_lock: float, keep: bool
) -> None:
    """Everything that happens under the lock. Raises Failure when the lock lasts too long."""
    connection.execute(f"SET LOCAL statement_timeout = {int(max_lock * 1000)}")
    move_aside(connection)
    with connection.transaction(force_rollback=True):  # while all can still be taken back
        drop_base(connection)
    install(connection)
    names = tuple(table for table in TABLES if table not in LATER)
    mover, moves = mover_of(connection, zone, names, keep)

    def bounded(*_: object) -> None:
        if monotonic() - began > max_lock:
            raise Failure(
                f"the lock was held for {max_lock:g} s: every change is taken back, see --max-lock"
            )

    proofs = run_moves(connection, mover, moves, bounded)
    show_proofs(proofs, mover.counts)
    if not prove_all(proofs):
        raise Failure("the moved rows differ from the base's: all of them are taken back")
    for table in LATER:  # the API's new rows get ids after the old ones
        connection.execute(
            f"SELECT setval('public.{table}_id_seq', max(id))"  # noqa: S608
            f" FROM {SCHEMA}.{table} HAVING max(id) IS NOT NULL"
        )
    bounded()


def drop_base(connection: psycopg.Connection) -> None:
    """The old tables go; children before parents, nothing by CASCADE. Raises Failure."""
    try:
        with connection.transaction():
            run_each(connection, SQL.DROP_BASE, NAMED)
    except psycopg.errors.DependentObjectsStillExist as error:
        detail = "; ".join((error.diag.message_detail or str(error)).splitlines())
        raise Failure(
            f"other objects need the base's, change or drop them first: {detail}"
        ) from error


def move_later(
    connection: psycopg.Connection, zone: str, keep: bool, accept: bool
) -> dict[str, float]:
    """Snapshots and bars, batch by batch; answers the longest batch of each. Raises Failure.

    The API may change a bar that was moved before it is proven. A person says which of the two
    happened, as the data don't tell; every row must have come over in any case.
    """
    left = Base(connection, SCHEMA).tables()
    names = tuple(table for table in LATER if table in left)
    longest = dict.fromkeys(names, 0.0)
    mover, moves = mover_of(connection, zone, names, keep)
    mover.resume = True
    last = monotonic()

    def measure(move, rows: int) -> None:
        nonlocal last
        longest[move.table] = max(longest[move.table], monotonic() - last)
        last = monotonic()

    proofs = run_moves(connection, mover, moves, measure)
    show_proofs(proofs, mover.counts)
    if not prove_all(proofs):
        whole = all(m.holds for measures in proofs.values() for m in measures if m.name == "rows")
        if not whole or not accept:
            hint = "; apply --accept-changes where the API changed them since" if whole else ""
            raise Failure(
                f"bars or snapshots differ from the base's: both are kept, see {SCHEMA}{hint}"
            )
        console.print("bars or snapshots were changed since they were moved: accepted")
    return longest
