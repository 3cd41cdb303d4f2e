"""Snapshots outside the stated range are refused by name through every door, and make no chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import errors

import rows
from conftest import Address
from time_ranges import TOO_EARLY, TOO_LATE, chunks_made, moment, session_of

Opener = Callable[..., psycopg.Connection]
ROW = (
    "INSERT INTO {} (session_id, balance, equity, timestamp)"
    " VALUES (%(session)s, 1, 1, %(at)s)"
)  # fmt: skip
SNAPSHOT_DOORS = {
    "API": ("rubi_app", ROW.format("account_snapshots")),
    "tenant": ("rubi_tenant", ROW.format("my_account_snapshots")),
    "owner": ("rubi_owner", ROW.format("account_snapshots")),
    "superuser": (None, ROW.format("account_snapshots")),
    "upsert": ("rubi_app", ROW.format("account_snapshots") + " ON CONFLICT DO NOTHING"),
    "copy": ("rubi_app", "COPY account_snapshots (session_id, balance, equity, timestamp)"),
}


def put(connection: psycopg.Connection, door: str, user: int, **values: object) -> None:
    """One snapshot through a door."""
    role, statement = SNAPSHOT_DOORS[door]
    with connection.transaction():
        if role:
            connection.execute(f"SET LOCAL ROLE {role}")
        connection.execute("SELECT set_config('app.user_id', %s, TRUE)", [str(user)])
        if statement.startswith("COPY"):
            with connection.cursor().copy(statement + " FROM STDIN") as copy:
                copy.write_row([values["session"], 1, 1, values["at"]])
        else:
            connection.execute(statement, values)
        connection.execute("RESET ROLE")


@pytest.fixture
def shared(server: Address, shared_database: str) -> Iterator[psycopg.Connection]:
    """A superuser's connection inside a transaction that is rolled back after the test."""
    with (
        psycopg.connect(server.dsn(shared_database)) as connection,
        connection.transaction(force_rollback=True),
    ):
        yield connection


@pytest.mark.parametrize("at", TOO_EARLY + TOO_LATE)
@pytest.mark.parametrize("door", SNAPSHOT_DOORS)
def test_snapshot_out_of_range_is_refused_before_a_chunk_is_made(
    shared: psycopg.Connection, door: str, at: str
) -> None:
    user, session = session_of(shared)
    before = chunks_made(shared)
    with pytest.raises(errors.CheckViolation) as caught:
        put(shared, door, user, session=session, at=moment(at))
    name = caught.value.diag.constraint_name
    assert name.endswith("account_snapshots_timestamp_range_check")
    assert chunks_made(shared) == before


@pytest.mark.parametrize("at", ["2000-01-01 00:00+00", "2017-05-05", "an hour before a day"])
@pytest.mark.parametrize("door", SNAPSHOT_DOORS)
def test_snapshot_within_the_range_is_accepted_and_makes_no_chunk(
    shared: psycopg.Connection, door: str, at: str
) -> None:
    user, session = session_of(shared)
    before = chunks_made(shared)
    put(shared, door, user, session=session, at=moment(at))
    assert chunks_made(shared) == before
    assert shared.execute("SELECT count(*) FROM account_snapshots").fetchone() == (1,)


def test_snapshots_of_three_thousand_weeks_make_no_chunk_and_hold_up_no_heartbeat(
    db: psycopg.Connection, connect_as: Opener
) -> None:
    user, session = session_of(db)
    before = chunks_made(db)
    hostile = connect_as(autocommit=False)
    hostile.execute("SET LOCAL ROLE rubi_tenant")
    hostile.execute("SELECT set_config('app.user_id', %s, TRUE)", [str(user)])
    hostile.execute(
        "INSERT INTO my_account_snapshots (session_id, balance, equity, timestamp)"
        " SELECT %s, 1, 1, timestamptz '2000-01-01 00:00+00' + n * interval '7 days'"
        " FROM generate_series(0, 1399) AS n",
        [session],
    )
    heartbeat = connect_as("rubi_app")
    heartbeat.execute("SET lock_timeout = '5s'")
    other = rows.session(heartbeat, rows.user(heartbeat))
    heartbeat.execute("UPDATE mt5_sessions SET last_ping = now() WHERE session_id = %s", [other])
    hostile.commit()
    assert chunks_made(db) == before


def test_rows_of_a_fence_move_when_its_chunks_are_made(
    db: psycopg.Connection, connect_as: Opener
) -> None:
    session = session_of(db)[1]
    days = ["2023-12-31", "2024-01-10", "2024-01-10 12:00+00", "2024-05-05"]
    for day in days:
        rows.snapshot(db, session, timestamp=day)
    before = db.execute("SELECT * FROM account_snapshots ORDER BY timestamp").fetchall()
    owner = connect_as("rubi_admin")
    for _ in range(2):
        owner.execute("CALL monitoring.make_snapshot_chunks('2024-01-01', '2024-02-01')")
    assert db.execute("SELECT * FROM account_snapshots ORDER BY timestamp").fetchall() == before
    assert db.execute(
        "SELECT count(*) FROM timescaledb_information.chunks WHERE range_end - interval '7 days'"
        " = range_start AND range_start BETWEEN '2023-12-20' AND '2024-02-08'"
        " AND hypertable_name = 'account_snapshots'"
    ).fetchone() == (6,)
    made = chunks_made(db)
    rows.snapshot(db, session, timestamp="2022-02-02")
    rows.snapshot(db, session, timestamp="2024-06-06")
    assert chunks_made(db) == made


def test_chunks_that_nobody_made_in_time_are_made_later(
    db: psycopg.Connection,
) -> None:
    """The procedure didn't run for weeks: rows went to the fence, and come out of it."""
    session = session_of(db)[1]
    db.execute("SELECT drop_chunks('account_snapshots', older_than => timestamptz '3000-01-01')")
    db.execute("SELECT drop_chunks('account_snapshots', newer_than => timestamptz '1971-01-01')")
    db.execute("SELECT internal.fence_snapshots('2024-01-01', '2024-02-01')")
    rows.snapshot(db, session, timestamp=str(datetime.now(UTC)))
    db.execute("CALL monitoring.make_chunks_ahead()")
    found = db.execute(
        "SELECT (SELECT count(*) FROM account_snapshots), chunks,"
        " ahead > interval '7 days' FROM monitoring.hypertables"
        " WHERE table_name = 'account_snapshots'"
    ).fetchone()
    assert found[0] == 1
    assert found[1] > 7
    assert found[2]
    assert db.execute("SELECT count(*) FROM internal.snapshot_holes()").fetchone() == (0,)
