"""A person names a user: the same one for a report, a load and the gateway."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

import rows
from rubi.mt5 import loading
from rubi.reporting import scope

Find = Callable[[psycopg.Connection, str], int | None]


def by_gateway(connection: psycopg.Connection, wanted: str) -> int | None:
    found = connection.execute(
        "SELECT user_id FROM find_gateway_account(%s, 'Broker-Live', '1')", [wanted]
    ).fetchone()
    return found and found[0]


WAYS = {
    "report": lambda connection, wanted: scope.find_user(connection, wanted)[0],
    "load": loading.user_id,
    "gateway": by_gateway,
}


@pytest.mark.parametrize("way", WAYS)
def test_user_is_not_found_by_the_id_or_email_of_another(db: psycopg.Connection, way: str) -> None:
    find: Find = WAYS[way]
    ann = rows.user(db, email="ann@example.com", username="ann")
    rows.user(db, username=str(ann))
    rows.user(db, username="ANN@example.com")
    assert find(db, str(ann)) == ann
    assert find(db, "ann@example.com") == ann


@pytest.mark.parametrize("way", WAYS)
def test_user_is_found_whatever_the_case(db: psycopg.Connection, way: str) -> None:
    ann = rows.user(db, email="ann@example.com", username="Ann")
    assert {WAYS[way](db, wanted) for wanted in ("ann", "ANN", "Ann@Example.com")} == {ann}


def test_tenant_finds_nobody_else(db: psycopg.Connection, app: psycopg.Connection) -> None:
    ann, bob = rows.user(app, username="ann"), rows.user(app, username="bob")
    app.execute("SET ROLE rubi_tenant")
    app.execute("SELECT set_config('app.user_id', %s, FALSE)", [str(ann)])
    found = [app.execute("SELECT user_id FROM find_user(%s)", [name]).fetchall()
             for name in ("ann", "bob", str(bob))]  # fmt: skip
    assert found == [[(ann,)], [], []]
