"""COPY into market_data is counted exactly, in any order with other writers."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

import rows

COLUMNS = "(symbol, timeframe, timestamp, open, high, low, close)"
COPY = f"COPY market_data {COLUMNS} FROM STDIN"
START = datetime(2024, 1, 2, tzinfo=UTC)
Connect = Callable[..., psycopg.Connection]


@pytest.fixture
def db(market: psycopg.Connection) -> psycopg.Connection:
    """The shared clone, whose market data are emptied after each test."""
    return market


def copy(
    connection: psycopg.Connection,
    count: int,
    symbols: str = "ABC",
    since: datetime = START,
) -> None:
    """Bars of these symbols in turn, a minute apart."""
    with connection.cursor().copy(COPY) as lines:
        for number in range(count):
            at = since + timedelta(minutes=number // len(symbols))
            lines.write_row((symbols[number % len(symbols)], "M1", at, 1, 2, 1, 1))


def counted(db: psycopg.Connection) -> list[tuple]:
    return db.execute(
        "SELECT symbol, timeframe, bars FROM market_data_coverage WHERE bars <> 0 ORDER BY 1, 2"
    ).fetchall()


def truth(db: psycopg.Connection) -> list[tuple]:
    return db.execute(
        "SELECT symbol, timeframe, count(*) FROM market_data GROUP BY 1, 2 ORDER BY 1, 2"
    ).fetchall()


def logged(db: psycopg.Connection) -> int:
    return db.execute("SELECT count(*) FROM internal.bar_changes").fetchone()[0]


def test_copy_is_logged_once_for_each_series(db: psycopg.Connection) -> None:
    copy(db, 300)
    assert counted(db) == truth(db) != []
    assert logged(db) == 3
    first, last = db.execute(
        "SELECT min(first_timestamp), max(last_timestamp) FROM internal.bar_changes"
    ).fetchone()
    assert (first, last) == (START, START + timedelta(minutes=99))


def test_copies_in_one_transaction_are_told_apart(db: psycopg.Connection) -> None:
    with db.transaction():
        copy(db, 300)
        rows.bar(db)
        with db.transaction():
            copy(db, 200, since=START + timedelta(days=1))
        copy(db, 100, since=START + timedelta(days=40))  # another chunk
        copy(db, 100, since=START + timedelta(days=2))
        db.execute("DELETE FROM market_data WHERE symbol = 'B'")
        db.execute("UPDATE market_data SET volume = 1 WHERE symbol = 'C'")
        with db.transaction(force_rollback=True):
            copy(db, 60, since=START + timedelta(days=3))
            db.execute("DELETE FROM market_data WHERE symbol = 'A'")
        copy(db, 30, symbols="ABCD", since=START + timedelta(days=4))
    assert counted(db) == truth(db)
    assert len(truth(db)) == 5


def test_a_copy_that_fails_leaves_the_log_as_it_was(db: psycopg.Connection) -> None:
    copy(db, 30)
    with pytest.raises(psycopg.errors.UniqueViolation):
        copy(db, 30)
    with db.transaction():
        with pytest.raises(psycopg.errors.CheckViolation), db.transaction():
            copy(db, 30, since=datetime(1960, 1, 1, tzinfo=UTC))
        rows.bar(db)
    rows.bar(db, timeframe="M5")
    assert counted(db) == truth(db)
    assert logged(db) == 5


def test_bars_merged_within_another_copy_are_counted(db: psycopg.Connection) -> None:
    """The text says COPY, the rows come from an upsert."""
    copy(db, 30)
    db.execute("""
    CREATE FUNCTION pg_temp.upsert() RETURNS bigint LANGUAGE sql AS $$
        WITH merged AS (
            INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)
            SELECT symbol, timeframe, timestamp + interval '5 minutes', 1, 1, 1, 1
            FROM market_data
            ON CONFLICT (symbol, timeframe, timestamp) DO UPDATE SET volume = 7
            RETURNING 1
        ) SELECT count(*) FROM merged
    $$
    """)
    with db.cursor().copy("COPY (SELECT pg_temp.upsert() AS market_data) TO STDOUT") as out:
        b"".join(out)
    assert counted(db) == truth(db)
    assert sum(bars for *_, bars in truth(db)) == 45


def test_two_who_copy_are_counted_apart(db: psycopg.Connection) -> None:
    copy(db, 1)  # who makes a chunk has others wait
    with psycopg.connect(db.info.dsn) as other:
        other.execute("SET lock_timeout = '60s'")
        db.execute("SET lock_timeout = '60s'")
        copy(other, 6000, symbols="BE")
        copy(db, 6000, symbols="CD")
        copy(other, 6000, symbols="BA", since=START + timedelta(days=5))
        assert counted(db) == truth(db)
        other.commit()
    assert counted(db) == truth(db)
    assert [symbol for symbol, *_ in truth(db)] == list("ABCDE")


def test_two_serializable_copies_into_one_chunk_both_commit(db: psycopg.Connection) -> None:
    """The log reads no pages of the chunk, which would be a conflict of both with the other."""
    copy(db, 1)  # who makes a chunk has others wait
    with ExitStack() as stack:
        writers = [stack.enter_context(psycopg.connect(db.info.dsn)) for _ in "DE"]
        for writer, symbol in zip(writers, "DE", strict=True):
            writer.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
            writer.execute("SET LOCAL lock_timeout = '60s'")
            copy(writer, 300, symbols=symbol)
        for writer in writers:
            writer.commit()
    assert counted(db) == truth(db)
    assert [symbol for symbol, *_ in truth(db)] == list("ADE")


def test_bars_whose_deletion_is_undone_are_not_counted_again(db: psycopg.Connection) -> None:
    """Such rows have numbers of commands above those of later statements."""
    copy(db, 1)
    with db.transaction():
        for minute in range(1, 13):
            rows.bar(db, timestamp=START + timedelta(minutes=minute))
        for _ in range(6):
            with db.transaction(force_rollback=True):
                db.execute("DELETE FROM market_data")
        copy(db, 300, since=START + timedelta(days=1))
    assert counted(db) == truth(db)
    assert sum(bars for *_, bars in truth(db)) == 313


def test_copy_across_many_chunks_is_counted(db: psycopg.Connection) -> None:
    """Bars of two symbols, in no order of time, in more chunks than COPY keeps buffers for."""
    with db.cursor().copy(COPY) as lines:
        for number in range(1200):
            at = START - timedelta(days=number * 7 % 1200)
            lines.write_row(("AB"[number % 2], "M1", at, 1, 2, 1, 1))
    chunks = db.execute("SELECT count(DISTINCT tableoid) FROM market_data").fetchone()[0]
    assert chunks > 32
    assert counted(db) == truth(db) == [("A", "M1", 600), ("B", "M1", 600)]


BAR = "echo A,M1,2024-01-02,1,2,1,1"


@pytest.mark.parametrize(
    "around",
    ["DO $$ BEGIN EXECUTE %s; DELETE FROM market_data; COMMIT; EXECUTE %s; END $$", "%s"],
    ids=["in a block that commits", "alone"],
)
def test_copy_by_the_server_is_counted(db: psycopg.Connection, around: str) -> None:
    text = f"COPY market_data {COLUMNS} FROM PROGRAM '{BAR}' (FORMAT csv)"
    db.execute(around.replace("%s", text if around == "%s" else psycopg.sql.quote(text)))
    assert counted(db) == truth(db) == [("A", "M1", 1)]


@pytest.mark.needs(timescaledb="2.18", why="rows are logged one by one before, by this setting")
def test_no_setting_hides_bars_from_coverage(db: psycopg.Connection) -> None:
    with psycopg.connect(db.info.dsn, user="rubi_app", autocommit=True) as app:
        app.execute("SET rubi.bars_logged = 'on'")
        copy(app, 30)
        rows.bar(app)
        app.execute("UPDATE market_data SET volume = 1 WHERE symbol = 'A'")
        app.execute("DELETE FROM market_data WHERE symbol = 'B'")
    assert counted(db) == truth(db)
    assert sum(bars for *_, bars in truth(db)) == 21


@pytest.mark.parametrize("seed", range(6))
def test_any_order_of_writers_is_counted(db: psycopg.Connection, seed: int) -> None:
    chance = random.Random(seed)
    since = START

    def write() -> None:
        nonlocal since
        what = chance.choice(("copy", "copy", "insert", "upsert", "delete", "update", "savepoint"))
        since += timedelta(days=chance.choice((0, 1, 20)), hours=3)
        if what == "copy":
            copy(db, chance.randint(1, 150), symbols=chance.choice(("A", "ABC", "CAD")),
                 since=since)  # fmt: skip
        elif what == "insert":
            rows.bar(db, symbol=chance.choice("AB"), timestamp=since + timedelta(seconds=1))
        elif what == "upsert":
            db.execute(
                f"INSERT INTO market_data {COLUMNS} SELECT symbol, timeframe, timestamp"
                " + n * interval '7 hours', 1, 1, 1, 1 FROM market_data CROSS JOIN"
                " generate_series(0, 1) AS n WHERE symbol = 'A'"
                " ON CONFLICT (symbol, timeframe, timestamp) DO NOTHING"
            )
        elif what == "savepoint":
            with db.transaction(force_rollback=chance.random() < 0.5):
                write()
                write()
        else:
            db.execute(
                "DELETE FROM market_data WHERE date_part('minute', timestamp) = %s"
                if what == "delete"
                else "UPDATE market_data SET volume = volume + 1"
                " WHERE date_part('minute', timestamp) <> %s",
                [chance.randint(0, 5)],
            )
        since += timedelta(hours=2)

    for _ in range(6):
        with db.transaction():
            for _ in range(4):
                write()
        if chance.random() < 0.3:
            db.execute("SELECT fold_bar_changes()")
        assert counted(db) == truth(db)
