"""Passes over all tables: ahead, while the source is written to, and the last, in which it is not.

Both do the same work; the last holds one transaction over all of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import psycopg
from psycopg import sql

from rubi.backups import measuring
from rubi.cli import Failure, console, errors, one_line, step
from rubi.connecting import session
from rubi.upgrading import closing, parts
from rubi.upgrading.following import Pair, bring
from rubi.upgrading.parts import Part, Table

# a server notices within half a minute that this machine is gone, and lets held writes go on
NOTICED = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=4"


@contextmanager
def connected(source: str, target: str) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
    """Both databases as the owner of their tables, in autocommit; nobody else copies into the
    target meanwhile. Raises Failure when they ran other files."""
    with (
        session(source, "copy", options=NOTICED) as old,
        session(target, "copy", options=NOTICED) as new,
    ):
        theirs, ours = become_owner(old, "--from"), become_owner(new, "--to")
        if differs := sorted({*ours.items()} ^ {*theirs.items()}):
            raise Failure(f"the target ran other files ({differs[0][0]}): deploy the same first")
        (free,) = new.execute(
            "SELECT pg_try_advisory_lock(hashtextextended('rubi copy', 0))"
        ).fetchone()
        if not free:
            raise Failure("another run copies into this target: wait for its end")
        yield old, new


def become_owner(connection: psycopg.Connection, option: str) -> dict[str, str]:
    """Act as who owns the tables; answers the files that ran. Raises Failure, which names the side,
    for another role and for a database without our files."""
    name = f"{option}, database {connection.info.dbname}"
    try:
        connection.execute("CALL deploy.become_owner()")
        connection.execute("SET search_path = pg_catalog")
        return dict(connection.execute(measuring.SQL.HISTORY).fetchall())
    except (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedFunction) as error:
        raise Failure(f"{name}: no files were deployed there: run deploy.py apply first") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise Failure(
            f"{name}: {connection.info.user} does not own the tables: connect as who deployed"
        ) from error


def ahead(old: psycopg.Connection, new: psycopg.Connection) -> int:
    """Bring all parts that changed since the last pass; answers how many rows were copied."""
    if closing.is_closed(old):
        raise Failure("the source is closed already, there is nothing to copy ahead")
    found = parts.tables(old)
    with new.transaction():
        parts.begin(old, new, found)
    pair = Pair(old, new, *look(old, new, found))
    by_oid = {table.oid: table for table in found}
    with new.transaction():
        forget_dropped(pair, found)
    for table in found:
        before, changed, first = pair.moved, 0, False
        with step(str(table), silent=True) as said:
            for part in pair.parts[table.oid]:
                noted = pair.noted.get(part.place)
                if noted and pair.read.unchanged(part, noted):
                    continue
                with pair.transaction():
                    for oid in table.parents:
                        bring(pair, Part(by_oid[oid]))
                    was = pair.moved
                    bring(pair, part)
                changed += pair.moved > was
                first = first or not noted
            if pair.moved > before:
                of = len(pair.parts[table.oid])
                said.append(f"{pair.moved - before:,} rows")
                said.extend([f"{changed} of {of} chunks"] if table.time else [])
            if first:
                new.execute(sql.SQL("VACUUM (ANALYZE) {}").format(table.relation))
    return pair.moved


def whole(old: psycopg.Connection, new: psycopg.Connection) -> tuple[int, int]:
    """Copy all in one transaction, from a source that nobody writes to; answers tables and rows."""
    found = parts.tables(old)
    old.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with old.transaction(), new.transaction():
        parts.begin(old, new, found)
        pair = Pair(old, new, *look(old, new, found))
        pair.settle()
        # the target may have what --ahead, or a run that was ended, has left in it
        forget_dropped(pair, found)
        # other schemas come last: triggers of hypertables write there
        bring_changed(pair, found, all_of_them=True)
        end(pair, found)
    settle_down(new)
    return len(found), sum(noted.row_count for noted in pair.noted.values())


def forget_dropped(pair: Pair, found: list[Table]) -> None:
    """Remove parts whose chunks the source dropped or cut."""
    by_name = {str(table): table for table in found}
    there = {part.place: part.until for several in pair.parts.values() for part in several}
    for place, noted in list(pair.noted.items()):
        if there.get(place) != noted.until:
            parts.forget(pair.new, by_name[noted.relation], noted)
            del pair.noted[place]


def finish(old: psycopg.Connection, new: psycopg.Connection, limit: float) -> float:
    """The last pass: hold writes, bring what is left, close the source; answers the seconds for
    which writes were held. Raises Failure, with nothing changed, after limit seconds."""
    found = parts.tables(old)
    if not parts.is_begun(new):
        raise Failure("nothing was copied ahead: run this with --ahead first")
    # a snapshot from before the lock would not see rows that are committed while it is waited for
    old.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
    with old.transaction(), new.transaction():
        # a tool that hangs holds writes no longer than one that works
        old.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{limit + 10:.0f} s'")
        parts.begin(old, new, found)
        began = closing.lock(old, found)
        with closing.limited(limit, old, new):
            ended = closing.end_sessions(old)
            pair = last_pass(old, new, found)
            end(pair, found)
            closing.close(old, found)
    # the target was committed first: a source that could not be closed has lost nothing
    stood = monotonic() - began
    for role in sorted(set(ended)):
        console.print(f"ended {ended.count(role)} session(s) of {role} that were still there")
    console.print(f"{pair.moved:,} rows copied, {pair.compared:,} compared")
    return stood


def last_pass(old: psycopg.Connection, new: psycopg.Connection, found: list[Table]) -> Pair:
    """Bring every part that is not known to be unchanged, now that nobody writes."""
    (moment,) = old.execute("SELECT clock_timestamp()").fetchone()
    pair = Pair(old, new, *look(old, new, found))
    pair.settle()
    forget_dropped(pair, found)
    # other schemas come last: triggers of hypertables write there, in the target, too
    first = [table for table in found if table.schema == "public"]
    bring_changed(pair, first)
    told = closing.told(old, moment)
    if told:
        pair.read = parts.marks(old, pair.parts)
    else:
        console.print("a superuser's session does not rest: each chunk is looked at")
    bring_changed(pair, [table for table in first if table.time], all_of_them=not told)
    bring_changed(pair, [table for table in found if table.schema != "public"])
    return pair


def end(pair: Pair, found: list[Table]) -> None:
    """What comes after all rows: those that are gone leave their parents, triggers and keys return,
    sequences follow."""
    for table in found:
        if table.is_parent:
            bring(pair, Part(table), last=True)
    parts.tighten(pair.new, found)
    follow_sequences(pair.old, pair.new, parts.oids(pair.new, found))
    pair.new.execute("UPDATE deploy.copied_from SET finished_at = now()")


def bring_changed(pair: Pair, found: list[Table], all_of_them: bool = False) -> None:
    """Bring the parts that the source's statistics do not tell to be unchanged."""
    for table in found:
        for part in pair.parts[table.oid]:
            noted = pair.noted.get(part.place)
            if all_of_them or not noted or not pair.read.unchanged(part, noted):
                bring(pair, part)


def follow_sequences(old: psycopg.Connection, new: psycopg.Connection, oids: list[int]) -> None:
    """Set the sequences of columns as the other database has them; oids: tables of new."""
    for sequence, *_ in new.execute(measuring.SQL.SEQUENCES, {"tables": oids}).fetchall():
        last = old.execute("SELECT pg_sequence_last_value(%s::regclass)", [sequence]).fetchone()[0]
        if last is not None:
            new.execute("SELECT setval(%s::regclass, %s)", [sequence, last])


def settle_down(new: psycopg.Connection) -> None:
    """What need not happen while writes are held; may be called again."""
    if not parts.is_begun(new):
        return
    with step("foreign keys validated") as said:
        said.append(str(parts.validate(new)))
    new.execute("RESET ROLE")
    new.execute("RESET search_path")
    try:
        new.execute("CALL monitoring.make_chunks_ahead()")
    except psycopg.Error as error:
        said = f"warning: call monitoring.make_chunks_ahead() again: {one_line(error)}"
        errors.print(said)
    new.execute("CALL deploy.become_owner()")
    new.execute("DROP TABLE deploy.copied_parts, deploy.copied_keys, deploy.copied_from")


def look(old: psycopg.Connection, new: psycopg.Connection, found: list[Table]) -> tuple:
    """The parts, what the source's statistics tell of them, and what the target has."""
    several = parts.of_tables(old, found)
    return several, parts.marks(old, several), parts.notes(new)
