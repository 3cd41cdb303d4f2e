"""Moments outside the ranges, and the chunks that they must not make."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import errors

import rows

TOO_EARLY = ["-infinity", "4713-01-01 BC", "0001-01-01", "1969-12-31", "1999-12-31 23:59:59+00"]
TOO_LATE = ["a minute after a day", "2099-01-01", "200000-01-01", "infinity"]


def moment(at: str) -> str:
    """Values that stand for themselves, except for times that follow the clock."""
    ahead = {"a minute after a day": 1441, "an hour before a day": 1380}.get(at)
    return str(datetime.now(UTC) + timedelta(minutes=ahead)) if ahead else at


def chunks_made(connection: psycopg.Connection) -> int:
    """A sequence: what a failed statement took of it is not given back."""
    return connection.execute(
        "SELECT last_value FROM _timescaledb_catalog.chunk_id_seq"
    ).fetchone()[0]


def session_of(connection: psycopg.Connection) -> tuple[int, object]:
    """A user and a session of it."""
    user = rows.user(connection)
    return user, rows.session(connection, user)


@contextmanager
def refused(connection: psycopg.Connection, role: str, rule: str) -> Iterator[None]:
    """As a role, until the statement that breaks the rule."""
    with pytest.raises(errors.CheckViolation) as caught, connection.transaction():
        connection.execute(f"SET LOCAL ROLE {role}")
        yield
    assert caught.value.diag.constraint_name.endswith(rule)
