"""docs/guides/changes.md: its files are deployed while the API, a gateway and a loader write."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

import blocks
import deploying
import rows
from conftest import ROOT, Address
from rubi.waiting import until

Connect = Callable[..., psycopg.Connection]
Work = Callable[[psycopg.Connection, int], None]
PAGE = ROOT / "docs/guides/changes.md"
FILES = {
    found[1]: block.text
    for block in blocks.blocks(PAGE)
    if (found := re.match(r"-- (schema/\d{4}_\w+\.sql)\n", block.text))
}
TICKETS = 300


def as_file(path: str) -> str:
    """A block as the file that its first line names."""
    head, _, rest = FILES[path].partition("\n")
    return f"{head}: from the page.\n{rest}"


def deploy_files(server: Address, dbname: str, folder: Path, key: str) -> None:
    """Add the page's files of a thing to a copy of the repository, and run what is due."""
    names = [path for path in FILES if path.startswith(f"schema/{key}")]
    assert names
    for name in names:
        (folder / name).write_text(as_file(name))
        deploying.run(server, dbname, "apply", "--files", str(folder), "--wait", "60")


@contextmanager
def writers(connect_as: Connect, work: Work, count: int = 2) -> Iterator[list[int]]:
    """Sessions of the API that do a piece of work again and again; an error of one is raised.

    Answers how often each did it, to be read after the block. A request that waits 30 s for a lock
    fails. A reader that stays open for a moment holds a lock that the deployment has to wait for.
    """
    ended, counts = threading.Event(), [0] * count

    def repeat(place: int) -> None:
        connection = connect_as("rubi_app")
        connection.execute("SET lock_timeout = '30s'")
        for number in itertools.count():
            if ended.is_set():
                return
            work(connection, number * count + place)
            counts[place] += 1

    def read() -> None:
        connection = connect_as("rubi_app", autocommit=False)
        while not ended.is_set():
            connection.execute(
                "SELECT (SELECT count(*) FROM trading_positions),"
                " (SELECT count(*) FROM journal_tags), (SELECT count(*) FROM mt5_order_sends),"
                " (SELECT count(*) FROM market_data)"
            )
            ended.wait(0.2)
            connection.rollback()
            ended.wait(0.3)

    with ThreadPoolExecutor(count + 1) as pool:
        running: list[Future[None]] = [pool.submit(repeat, place) for place in range(count)]
        running.append(pool.submit(read))
        try:
            until("all write", lambda: all(counts) or any(one.done() for one in running), 60)
            yield counts
        finally:
            ended.set()
        for one in running:
            one.result(60)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the repository's files, all applied."""
    return deploying.copy_files(tmp_path)


def make_positions(app: psycopg.Connection) -> None:
    """Positions of one account, from ticket 1."""
    session = rows.session(app, rows.user(app))
    app.execute(
        "INSERT INTO trading_positions"
        " (session_id, ticket, symbol, type, volume, open_price, current_price, open_time, magic)"
        " SELECT %s, n::text, 'EURUSD', 'BUY', 1, 1, 1, now(), n FROM generate_series(1, %s) AS n",
        [session, TICKETS],
    )


def differing(db: psycopg.Connection, table: str, one: str, other: str) -> int:
    """Rows whose two columns aren't equal."""
    return db.execute(
        f"SELECT count(*) FROM {table} WHERE {one} IS DISTINCT FROM {other}"
    ).fetchone()[0]


def test_each_file_of_the_page_is_deployed_by_a_test() -> None:
    assert {path[:10] for path in FILES} == {"schema/016", "schema/019", "schema/020", "schema/035"}
    assert len(FILES) == PAGE.read_text().count("```sql")


def test_column_gets_another_type_while_positions_move(
    server: Address,
    db: psycopg.Connection,
    app: psycopg.Connection,
    connect_as: Connect,
    folder: Path,
) -> None:
    make_positions(app)

    def move(connection: psycopg.Connection, number: int) -> None:
        connection.execute(
            "UPDATE trading_positions SET current_price = %s, magic = %s WHERE ticket = %s",
            [1 + number % 7, number, str(number % TICKETS + 1)],
        )

    with writers(connect_as, move):
        deploy_files(server, db.info.dbname, folder, "016")
    assert differing(db, "trading_positions", "magic", "magic_old") == 0
    assert app.execute(
        "UPDATE trading_positions SET magic = 7 WHERE ticket = '1' RETURNING magic_old"
    ).fetchone() == (7,)
    assert app.execute(
        "UPDATE trading_positions SET magic_old = 8 WHERE ticket = '1' RETURNING magic"
    ).fetchone() == (8,)
    # a view goes on reading the old column
    assert app.execute(
        "SELECT magic FROM open_positions_with_session WHERE ticket = '1'"
    ).fetchone() == (8,)
    with pytest.raises(errors.NumericValueOutOfRange):
        app.execute("UPDATE trading_positions SET magic = 2::numeric ^ 63")


def test_column_of_a_hypertable_gets_another_type_while_bars_come(
    server: Address,
    db: psycopg.Connection,
    app: psycopg.Connection,
    connect_as: Connect,
    folder: Path,
) -> None:
    app.execute(
        "INSERT INTO market_data (timestamp, symbol, timeframe, open, high, low, close, spread)"
        " SELECT '2026-01-01 UTC'::timestamptz + n * interval '1 hour', 'EURUSD', 'H1',"
        " 1, 1, 1, 1, n FROM generate_series(1, 3000) AS n"
    )

    def load(connection: psycopg.Connection, number: int) -> None:
        connection.execute(
            "INSERT INTO market_data AS m"
            " (timestamp, symbol, timeframe, open, high, low, close, spread)"
            " SELECT '2026-01-01 UTC'::timestamptz + (%(n)s + s) * interval '1 hour', 'EURUSD',"
            " 'H1', 1, 1, 1, 1, 5 FROM generate_series(1, 9) AS s"
            " ON CONFLICT (symbol, timeframe, timestamp) DO UPDATE SET spread = m.spread + 1",
            {"n": number % 4000},
        )

    with writers(connect_as, load, 1):
        deploy_files(server, db.info.dbname, folder, "020")
    assert differing(db, "market_data", "spread", "spread_new") == 0


def test_column_becomes_not_null_while_a_gateway_sends(
    server: Address,
    db: psycopg.Connection,
    app: psycopg.Connection,
    connect_as: Connect,
    folder: Path,
) -> None:
    account = db.execute(
        "SELECT account_id FROM mt5_sessions WHERE session_id = %s",
        [rows.session(app, rows.user(app))],
    ).fetchone()[0]
    app.execute(
        "INSERT INTO mt5_order_sends (account_id, sent_at, request)"
        " SELECT %s, now(), '{}' FROM generate_series(1, 1000)",
        [account],
    )

    def send(connection: psycopg.Connection, number: int) -> None:
        connection.execute(
            "INSERT INTO mt5_order_sends (account_id, sent_at, request, symbol)"
            " VALUES (%s, now(), '{}', 'EURUSD')",
            [account],
        )

    with writers(connect_as, send) as counts:
        deploy_files(server, db.info.dbname, folder, "035")
    assert db.execute(
        "SELECT count(*) FILTER (WHERE symbol = ''), count(*) FILTER (WHERE symbol = 'EURUSD')"
        " FROM mt5_order_sends"
    ).fetchone() == (1000, sum(counts))
    with pytest.raises(errors.NotNullViolation):
        app.execute("UPDATE mt5_order_sends SET symbol = NULL")


def test_table_gets_another_name_while_the_api_writes_by_the_old_one(
    server: Address,
    db: psycopg.Connection,
    app: psycopg.Connection,
    connect_as: Connect,
    folder: Path,
) -> None:
    user = rows.user(app)

    def tag(connection: psycopg.Connection, number: int) -> None:
        connection.execute(
            "INSERT INTO journal_tags (user_id, kind, name) VALUES (%s, 'setup', %s)",
            [user, f"tag {number}"],
        )
        connection.execute(
            "UPDATE journal_tags SET kind = 'market' WHERE user_id = %s AND name = %s",
            [user, f"tag {number}"],
        )

    with writers(connect_as, tag) as counts:
        deploy_files(server, db.info.dbname, folder, "019")
    assert db.execute(
        "SELECT count(*) FILTER (WHERE kind = 'market'), count(*) FROM journal_labels"
    ).fetchone() == (sum(counts), sum(counts))


def test_tenant_sees_only_the_own_rows_through_the_old_name(
    server: Address,
    db: psycopg.Connection,
    app: psycopg.Connection,
    connect_as: Connect,
    folder: Path,
) -> None:
    users = [rows.user(app) for _ in range(2)]
    for user in users:
        app.execute(
            "INSERT INTO journal_tags (user_id, kind, name) VALUES (%s, 'setup', 'gap')", [user]
        )
    deploy_files(server, db.info.dbname, folder, "019")
    tenant = connect_as("rubi_app")
    tenant.execute("SET ROLE rubi_tenant")
    tenant.execute("SELECT set_config('app.user_id', %s, FALSE)", [str(users[0])])
    assert tenant.execute("SELECT user_id FROM journal_tags").fetchall() == [(users[0],)]


def test_filling_names_the_table_whose_rows_another_transaction_holds(
    db: psycopg.Connection, app: psycopg.Connection, connect_as: Connect
) -> None:
    make_positions(app)
    holder = connect_as("rubi_app", autocommit=False)
    holder.execute("UPDATE trading_positions SET current_price = 2 WHERE ticket = '5'")
    owner = connect_as("rubi_admin")
    owner.execute("CALL deploy.become_owner()")
    fill = "CALL deploy.fill_column('public.trading_positions', 'magic', '77')"
    with pytest.raises(errors.ObjectInUse):
        owner.execute(fill)
    assert db.execute(
        "SELECT count(*) FROM trading_positions WHERE magic IS DISTINCT FROM 77"
    ).fetchone() == (1,)
    holder.rollback()
    owner.execute(fill)
    assert db.execute(
        "SELECT count(*) FROM trading_positions WHERE magic IS DISTINCT FROM 77"
    ).fetchone() == (0,)
