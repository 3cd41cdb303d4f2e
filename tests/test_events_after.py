"""A reader of events that was away misses none, in whatever order the writers' commits come."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import errors

import mt5
import rows

EVENTS = "SELECT cursor, account_id, kind, what, id FROM events_after(%s, %s)"
Connect = Callable[..., psycopg.Connection]


def new_account(db: psycopg.Connection) -> int:
    user = rows.user(db)
    return mt5.open_account(db, user, server=f"S{user}", taken_at="2026-01-01")


def read(connection: psycopg.Connection, cursor: str | None = None, limit: int = 1000) -> list:
    return connection.execute(EVENTS, [cursor, limit]).fetchall()


def read_on(connection: psycopg.Connection, cursor: str | None) -> tuple[list[int], str | None]:
    """Ids of what came since, and where to go on."""
    found = read(connection, cursor)
    return [row[4] for row in found], found[-1][0] if found else cursor


def number_of(db: psycopg.Connection) -> int:
    return db.execute("SELECT count(*) FROM mt5_events").fetchone()[0]


@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_pages_have_every_event_once(db: psycopg.Connection, limit: int) -> None:
    account = new_account(db)
    for count in (4, 2, 5):
        mt5.ingest(db, "positions", account, [mt5.position(ticket=n + 1) for n in range(count)])
    found, cursor = [], None
    while page := read(db, cursor, limit):
        assert len(page) <= limit
        found += page
        cursor = page[-1][0]
    assert found == read(db)
    assert len({row[0] for row in found}) == len(found) == number_of(db)


@pytest.mark.parametrize("first_ends", ["first", "last"])
def test_order_of_commits_loses_no_event(
    db: psycopg.Connection, connect_as: Connect, first_ends: str
) -> None:
    accounts = [new_account(db), new_account(db)]
    _, cursor = read_on(db, None)
    first, second = (connect_as("rubi_ingest", autocommit=False) for _ in accounts)
    mt5.ingest(first, "positions", accounts[0], [mt5.position(ticket=1)])
    mt5.ingest(second, "positions", accounts[1], [mt5.position(ticket=2)])
    mt5.ingest(first, "positions", accounts[0], [mt5.position(ticket=3)])
    assert read_on(db, cursor) == ([], cursor)
    (first if first_ends == "first" else second).commit()
    found, after = read_on(db, cursor)
    # what the earlier transaction may still write comes before what the later one wrote
    assert found == ([1, 1, 3] if first_ends == "first" else [])
    (second if first_ends == "first" else first).commit()
    rest, _ = read_on(db, after)
    assert found + rest == [1, 1, 3, 2]


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_transaction_that_writes_anything_holds_later_events_back(
    db: psycopg.Connection, connect_as: Connect, end: str
) -> None:
    account = new_account(db)
    _, cursor = read_on(db, None)
    long = connect_as("rubi_app", autocommit=False)
    rows.user(long)
    mt5.ingest(db, "positions", account, [mt5.position(ticket=1)])
    assert read_on(db, cursor)[0] == []
    getattr(long, end)()
    assert read_on(db, cursor)[0] == [1]


def test_a_transaction_that_only_reads_holds_nothing_back(
    db: psycopg.Connection, connect_as: Connect
) -> None:
    account = new_account(db)
    _, cursor = read_on(db, None)
    reader = connect_as("rubi_app", autocommit=False)
    reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    assert read_on(reader, cursor)[0] == []
    mt5.ingest(db, "positions", account, [mt5.position(ticket=1)])
    assert read_on(db, cursor)[0] == [1]
    assert read_on(reader, cursor)[0] == []


def write_at_random(
    connect_as: Connect, account: int, seed: int, failures: list[BaseException]
) -> None:
    chance = random.Random(seed)
    try:
        with connect_as("rubi_ingest", autocommit=False) as connection:
            for _ in range(25):
                for _ in range(chance.randint(1, 3)):
                    picture = [
                        mt5.position(ticket=n + 1, sl=chance.choice([0.0, 1.0]))
                        for n in range(chance.randint(0, 5))
                    ]
                    mt5.ingest(connection, "positions", account, picture)
                if chance.random() < 0.2:
                    connection.rollback()
                else:
                    connection.commit()
    except BaseException as error:
        failures.append(error)


def test_reader_beside_many_writers_has_every_event_once(
    db: psycopg.Connection, connect_as: Connect
) -> None:
    failures: list[BaseException] = []
    writers = [
        threading.Thread(target=write_at_random, args=[connect_as, new_account(db), n, failures])
        for n in range(4)
    ]
    for writer in writers:
        writer.start()
    found, cursor = [], None
    while any(writer.is_alive() for writer in writers):
        page = read(db, cursor, 7)
        found += page
        cursor = page[-1][0] if page else cursor
    for writer in writers:
        writer.join(60)
    found += read(db, cursor, 1_000_000)
    assert failures == []
    assert len({row[0] for row in found}) == len(found) == number_of(db) > 50
    assert found == read(db, None, 1_000_000)


def as_restored_elsewhere(db: psycopg.Connection) -> None:
    """The rows are of a server that had counted further, and nobody has written here yet."""
    db.execute("UPDATE internal.mt5_event_eras SET cluster_id = 1, era = era - 100")
    db.execute("UPDATE mt5_events SET era = era - 100, xact_id = xact_id + 1000000000")


def test_reader_goes_on_after_a_restore_to_a_server_that_counts_lower(
    db: psycopg.Connection,
) -> None:
    account = new_account(db)
    mt5.ingest(db, "positions", account, [mt5.position(ticket=1)])
    as_restored_elsewhere(db)
    found, cursor = read_on(db, None)
    assert found == [account, 1]
    mt5.ingest(db, "positions", account, [])
    mt5.ingest(db, "positions", account, [mt5.position(ticket=2)])
    assert read_on(db, cursor)[0] == [1, 2]
    eras = db.execute("SELECT count(*), count(DISTINCT era) FROM internal.mt5_event_eras")
    assert eras.fetchone() == (2, 2)


@pytest.mark.parametrize(
    "cursor", ["", "x", "1-2-3", "1-2-3-4-5", "-1-2-3-4", "1-2-3-x", " 1-2-3-4", "1-2-3-4\n"]
)
def test_text_that_is_no_cursor_is_refused(db: psycopg.Connection, cursor: str) -> None:
    with pytest.raises(errors.Error) as caught:
        read(db, cursor)
    assert caught.value.sqlstate == "RB075"


@pytest.mark.parametrize("cursor", ["0-0-0-0", "9999999999-1-1-1", None])
def test_any_cursor_in_form_is_taken(db: psycopg.Connection, cursor: str | None) -> None:
    new_account(db)
    assert len(read(db, cursor)) == (0 if cursor and cursor.startswith("9") else 1)


@pytest.fixture
def two_users(db: psycopg.Connection) -> Iterator[tuple[int, int, int]]:
    """A user and the accounts of this and of another one, each with a position and an order."""
    accounts = new_account(db), new_account(db)
    for account in accounts:
        mt5.ingest(db, "positions", account, [mt5.position(ticket=account)])
        mt5.ingest(db, "orders", account, [mt5.order(ticket=account, state=1)])
    query = "SELECT user_id FROM mt5_accounts WHERE id = %s"
    yield db.execute(query, [accounts[0]]).fetchone()[0], *accounts


@pytest.mark.parametrize("role", ["rubi_app", "rubi_tenant"])
@pytest.mark.parametrize("function", ["positions_as_of", "orders_as_of"])
def test_a_users_reader_has_that_users_events(
    db: psycopg.Connection, two_users: tuple[int, int, int], role: str, function: str
) -> None:
    user, own, other = two_users
    db.execute("SELECT set_config('app.user_id', %s, FALSE)", [str(user)])
    db.execute(f"SET ROLE {role}")
    assert {row[1] for row in read(db)} == {own}
    found = [
        db.execute(f"SELECT count(*) FROM {function}(%s)", [account]).fetchone()[0]
        for account in (own, other)
    ]
    assert found == [1, 0]


def test_tenant_without_a_user_has_no_events(
    db: psycopg.Connection, two_users: tuple[int, int, int]
) -> None:
    db.execute("SET ROLE rubi_tenant")
    assert read(db) == []
    with pytest.raises(errors.InsufficientPrivilege):
        db.execute("SELECT FROM mt5_events")


@pytest.mark.parametrize("role", ["rubi_app", "rubi_readonly"])
def test_api_and_analysts_read_all_events(
    connect_as: Connect, two_users: tuple[int, int, int], role: str
) -> None:
    assert {row[1] for row in read(connect_as(role))} == set(two_users[1:])


def test_closed_users_setting_shows_no_events(
    db: psycopg.Connection, two_users: tuple[int, int, int]
) -> None:
    db.execute("SELECT close_user(%s)", [two_users[0]])
    db.execute("SELECT set_config('app.user_id', %s, FALSE)", [str(two_users[0])])
    db.execute("SET ROLE rubi_app")
    assert read(db) == []


def test_reader_is_woken_when_it_has_subscribed(
    db: psycopg.Connection, connect_as: Connect
) -> None:
    account = new_account(db)
    listener = connect_as("rubi_app")
    listener.execute("LISTEN rubi_events")
    mt5.ingest(db, "positions", account, [mt5.position(ticket=1)])
    assert list(listener.notifies(timeout=0.3)) == []
    listener.execute("SELECT subscribe('rubi_events')")
    calls = {
        "positions": [mt5.position(ticket=2)], "orders": [mt5.order(ticket=2)],
        "deals": [mt5.deal(ticket=2)],
    }  # fmt: skip
    for what, elements in calls.items():
        mt5.ingest(db, what, account, elements)
        notes = list(listener.notifies(timeout=30, stop_after=1))
        assert [(note.channel, note.payload) for note in notes] == [
            ("rubi_events", '{"event": "written"}')
        ]
        assert list(listener.notifies(timeout=0.1)) == []  # one a transaction
        mt5.ingest(db, what, account, elements)
    assert list(listener.notifies(timeout=0.3)) == []  # nothing was written
