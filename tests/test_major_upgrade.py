"""PostgreSQL 17 to 18 and TimescaleDB 2.19 to 2.31 without superuser, while the API writes on.

The commands are those of docs/guides/upgrades.md.
"""

from __future__ import annotations

import re
import signal
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

import blocks
import rows
import running
import upgraded
from conftest import ROOT, Address
from rubi.backups import drilling
from rubi.upgrading import closing as source_writes
from rubi.upgrading import following, parts
from rubi.waiting import until
from upgraded import Side, Writer, servers, sides, source

__all__ = ["servers", "sides", "source"]  # fixtures

PAGE = ROOT / "docs/guides/upgrades.md"


def kill_in_the_middle(sides: tuple[Side, Side], table: str) -> None:
    """Kill a pass when it comes to a table of the target."""
    old, new = sides
    with closing(psycopg.connect(new.dsn("postgres"))) as holder:
        started = running.start(
            "copy_database", "--from", old.dsn(), "--to", new.dsn(), "--ahead", env={}
        )
        until("the first parts are noted", lambda: upgraded.copied_parts(new) or started.poll(), 60)
        holder.execute(f"LOCK {table} IN ACCESS EXCLUSIVE MODE")
        with new.connect() as asking:
            until(
                "the pass waits",
                lambda: asking.execute("SELECT FROM pg_locks WHERE NOT granted").rowcount,
                60,
            )
        started.kill()
        started.communicate()
        assert started.returncode == -signal.SIGKILL
    with new.connect() as asking:
        until(
            "the server has noticed",
            lambda: (
                not asking.execute(
                    "SELECT FROM pg_stat_activity WHERE application_name = 'rubi copy'"
                ).rowcount
            ),
            60,
        )


def test_page_moves_a_database_that_is_written_to(
    servers: tuple[object, object], server: Address, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """A writer that nobody stops loses no acknowledged row; a killed pass is gone on with."""
    sides = old, new = Side(servers[0], "rubi_page").clone(), Side(servers[1], "rubi_page").make()
    settings, deploy, ahead, finish, prove, back = (
        block for block in blocks.blocks(PAGE) if block.kind == "sh"
    )
    assert re.findall(r"^export (\w+)=", settings.text, re.MULTILINE) == ["OLD", "NEW"]
    blocks.folder_like_the_repository(tmp_path)

    def follow(block: blocks.Block) -> str:
        printed: list[str] = []
        given = {"OLD": old.dsn(), "NEW": new.dsn()}
        assert blocks.run(block, server, "postgres", tmp_path, given, printed) == ""
        return printed[0]

    follow(deploy)
    fresh = upgraded.spelled(new)
    with old.connect() as connection:
        user, session = upgraded.history(connection)
    with Writer(old, user, session).working() as writer:
        until("the first write", lambda: writer.acknowledged, 60)
        kill_in_the_middle(sides, "mt5_sessions")
        kept = upgraded.copied_parts(new)
        assert kept > 0
        follow(ahead)
        with old.connect() as connection:
            connection.execute("UPDATE market_data SET high = 3 WHERE timestamp = '2025-02-03'")
            connection.execute("DELETE FROM market_data WHERE timestamp = '2025-02-04'")
            connection.execute(
                "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
                " VALUES ('EURUSD', 'H1', '2025-02-04 00:30', 1, 2, 0.5, 1)"
            )
        assert "public.market_data · 2 rows, 1 of" in follow(ahead)
        stopped = follow(finish)
        until("the writer is refused", lambda: writer.refused, 60)
    older, newer = (upgraded.versions(side) for side in sides)
    assert older.lacks(newer.postgresql, newer.timescaledb)
    with capsys.disabled():
        print(f"\n{older} to {newer}: {re.search(r'writes were held for [0-9.]+ s', stopped)[0]}")
    assert writer.refused == "25006"
    assert upgraded.differing(sides) == []
    assert upgraded.spelled(new) == fresh
    follow(prove)
    with new.connect() as connection:
        drilling.check_proofs(connection)
        stored = {
            request
            for (request,) in connection.execute("SELECT client_request_id FROM trading_orders")
        }
        assert writer.acknowledged <= stored
        drilling.use(new.dsn("rubi_app"))
        drilling.check_proofs(connection)
    follow(back)
    with old.connect("rubi_app") as connection:
        writer.write(connection)


CHANGES = {
    "a late row": "INSERT INTO market_ticks (symbol, timestamp, bid)"
    " VALUES ('EURUSD', now() - interval '15 days', 2)",
    "a changed row": "UPDATE market_ticks SET bid = 2"
    " WHERE timestamp = (SELECT min(timestamp) FROM market_ticks)",
    "rows that are gone": "DELETE FROM market_ticks WHERE timestamp < now() - interval '19 days'",
    "all rows of a chunk": "UPDATE market_data SET high = 4 WHERE timestamp < '2025-03-01'",
    "a chunk that was dropped": "SELECT drop_chunks('market_data', TIMESTAMPTZ '2025-03-01')",
    "a chunk that was cut": "CALL monitoring.make_snapshot_chunks("
    "now() - interval '30 days', now())",
    "bars that were loaded again, as many": "TRUNCATE market_data; INSERT INTO market_data"
    " (symbol, timeframe, timestamp, open, high, low, close) SELECT 'EURUSD', 'H1', t, 1, 3, 0.5, 1"
    " FROM generate_series(timestamptz '2025-01-01', '2025-06-01', '1 hour') AS t",
    "a new chunk": "INSERT INTO market_ticks (symbol, timestamp, bid)"
    " VALUES ('EURUSD', now() - interval '90 days', 2)",
    "a name that went to another user": "UPDATE users SET username = 'third' WHERE username ="
    " 'second'; UPDATE users SET username = 'second' WHERE username = 'first'",
    "a name of a user who is gone": "DELETE FROM users WHERE username = 'second';"
    " UPDATE users SET username = 'second' WHERE username = 'first'",
    "a session that is gone": "DELETE FROM account_snapshots; DELETE FROM mt5_sessions",
    "a table that was emptied": "TRUNCATE audit.changes",
    "a table without a key": "DELETE FROM internal.bar_changes",
    "statistics that were reset": "UPDATE market_ticks SET bid = 3 WHERE timestamp < now()"
    " - interval '10 days'; SELECT pg_stat_force_next_flush(); SELECT pg_stat_reset()",
}


# those of different tables can be made together: which one was not copied is seen by its table
TOGETHER = (
    ("a late row", "all rows of a chunk", "a chunk that was cut",
     "a name that went to another user"),
    ("a changed row", "a chunk that was dropped", "a table that was emptied"),
    ("rows that are gone", "bars that were loaded again, as many",
     "a name of a user who is gone"),
    ("a new chunk", "a session that is gone", "a table without a key"),
    ("statistics that were reset",),
)  # fmt: skip


def test_each_change_is_among_those_that_are_made_together() -> None:
    assert sorted(sum(TOGETHER, ())) == sorted(CHANGES)


@pytest.mark.parametrize("changes", TOGETHER, ids=lambda changes: changes[0])
def test_change_after_the_copy_is_copied(
    sides: tuple[Side, Side], source: Side, changes: tuple[str, ...]
) -> None:
    with source.connect() as connection:
        for name in ("first", "second"):
            rows.user(connection, username=name)
    upgraded.said(upgraded.copy(*sides, "--ahead"))
    with source.connect() as connection:
        for statement in "; ".join(CHANGES[change] for change in changes).split("; "):
            connection.execute(statement)
    upgraded.said(upgraded.copy(*sides, "--finish"))
    assert upgraded.differing(sides) == []


@pytest.mark.parametrize("rests", [True, False])
def test_change_that_the_statistics_do_not_show_yet_is_copied(
    sides: tuple[Side, Side], source: Side, rests: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A superuser's session tells of its writes when it rests; where none does, all is looked
    at."""
    upgraded.said(upgraded.copy(*sides, "--ahead"))
    if not rests:
        monkeypatch.setattr(source_writes, "REST", 0)
    with source.connect() as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        connection.execute("UPDATE market_data SET high = 4 WHERE timestamp < '2025-01-03'")
        if not rests:
            connection.execute("BEGIN")
            connection.execute("SELECT 1")
        looked = "each chunk is looked at" in upgraded.said(upgraded.copy(*sides, "--finish"))
    assert looked is not rests
    assert upgraded.differing(sides) == []


def test_pass_without_a_change_copies_nothing(sides: tuple[Side, Side], source: Side) -> None:
    upgraded.said(upgraded.copy(*sides, "--ahead"))
    assert upgraded.differing(sides) == []
    assert "copied ahead · 0 rows" in upgraded.said(upgraded.copy(*sides, "--ahead"))


@pytest.mark.parametrize("changed", [True, False])
def test_chunk_in_columnstore_is_read_again(
    sides: tuple[Side, Side], source: Side, changed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither counters nor transactions tell of its rows; here each chunk is taken for one."""
    asked = parts.SQL.CHUNKS.replace("coalesce(c.is_compressed, FALSE)", "TRUE")
    monkeypatch.setattr(parts.SQL, "CHUNKS", asked)
    upgraded.said(upgraded.copy(*sides, "--ahead"))
    if changed:
        with source.connect() as connection:
            connection.execute("UPDATE market_data SET high = 4 WHERE timestamp = '2025-02-03'")
    assert ("0 rows copied" in upgraded.said(upgraded.copy(*sides, "--finish"))) is not changed
    assert upgraded.differing(sides) == []


def test_transactions_too_far_back_to_compare_mean_all_rows(
    sides: tuple[Side, Side], source: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgraded.said(upgraded.copy(*sides, "--ahead"))
    with source.connect() as connection:
        connection.execute("UPDATE mt5_sessions SET balance = 7")
        rows.user(connection)
    monkeypatch.setattr(following, "COMPARABLE", -1)
    upgraded.said(upgraded.copy(*sides, "--finish"))
    assert upgraded.differing(sides) == []


def test_change_before_a_crash_is_copied(sides: tuple[Side, Side], source: Side) -> None:
    """A crash takes the counters back to zero, where they may have been before."""
    upgraded.crash(source)
    upgraded.said(upgraded.copy(*sides, "--ahead"))
    with source.connect() as connection:
        connection.execute(
            "UPDATE market_ticks SET bid = 3 WHERE timestamp < now() - '10 d'::interval"
        )
    upgraded.crash(source)
    upgraded.said(upgraded.copy(*sides, "--finish"))
    assert upgraded.differing(sides) == []


def test_change_by_a_transaction_whose_number_was_used_before_is_copied(
    sides: tuple[Side, Side], source: Side
) -> None:
    """A crash, or a standby that takes over, loses transactions that were seen already."""
    upgraded.said(upgraded.copy(*sides, "--ahead"))
    with sides[1].connect() as connection:
        connection.execute(
            "UPDATE deploy.copied_parts SET xact_id = xact_id + 1000000, statistics = 'of before'"
        )
    with source.connect() as connection:
        connection.execute("UPDATE mt5_sessions SET balance = 7; UPDATE users SET is_active = TRUE")
        connection.execute(
            "UPDATE market_ticks SET bid = 2 WHERE timestamp > now() - '2 d'::interval"
        )
    upgraded.said(upgraded.copy(*sides, "--finish"))
    assert upgraded.differing(sides) == []
