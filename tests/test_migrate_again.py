"""Run again: the same source, wherever it lies, and no other of its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

import moving
from moving import D
from rows import HASH

Tables = dict[str, list[dict[str, Any]]]


def first_file() -> Tables:
    """Users 7 and 9 with an order each, and a user that is rejected."""
    rows = {table: moving.truth()[table] for table in ("users", "trading_orders")}
    rows["trading_orders"][0]["signal_id"] = None
    rows["users"].append(rows["users"][0] | {"id": 10, "email": "none", "username": "c"})
    return rows


def eve(number: int) -> Tables:
    """Somebody else with an order of her own."""
    rows = first_file()
    user = rows["users"][0] | {"id": number, "email": "eve@example.com", "username": "eve"}
    order = rows["trading_orders"][0] | {
        "id": 500, "user_id": number, "mt5_order_id": "77", "profit": D("-9999"),
    }  # fmt: skip
    return {"users": [user], "trading_orders": [order]}


def state(db: psycopg.Connection) -> list[tuple]:
    """All that a second file could spoil."""
    return [
        db.execute(query).fetchall()
        for query in (
            "SELECT id, email FROM users ORDER BY id",
            "SELECT id, user_id, profit FROM trading_orders ORDER BY id",
            "SELECT table_name, source_row, rule FROM migration.rejects",
            "SELECT table_name, last_row, moved FROM migration.progress ORDER BY 1",
        )
    ]


@pytest.mark.parametrize("number", [7, 8])  # ann's, and nobody's
@pytest.mark.parametrize("arguments", [(), ("--resume",), ("--only", "trading_orders")])
@pytest.mark.parametrize("csv", [False, True])
def test_other_file_of_the_same_name_is_refused(
    db: psycopg.Connection, tmp_path: Path, number: int, arguments: tuple[str, ...], csv: bool
) -> None:
    ends = []
    for name, rows, more in (("a", first_file(), ()), ("b", eve(number), arguments)):
        (folder := tmp_path / name).mkdir()
        before = state(db)
        if csv:
            ends.append(moving.run_csv(db, *moving.write_csv(folder, rows), *more))
        else:
            ends.append(moving.run(db, moving.build(folder / "rubi_studio.db", rows), *more))
    assert [done.returncode for done in ends] == [1, 1]
    assert "REJECTED" in ends[0].stdout
    assert "another file of this name was moved before" in ends[1].stderr
    assert "--merge" in ends[1].stderr
    assert state(db) == before
    assert len(before[2]) == 1
    renamed = tmp_path / "eve.db"
    moving.build(renamed, eve(8))
    assert moving.run(db, renamed, "--merge").returncode == 0
    assert db.execute("SELECT user_id FROM trading_orders WHERE id = 500").fetchone() == (8,)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE users SET email = 'ann@example.org' WHERE id = 7",
        "UPDATE users SET username = 'anna' WHERE id = 7",
        "UPDATE users SET email = 'ANN@example.com', username = 'anna' WHERE id = 7",
        "DELETE FROM users WHERE id = 9",
        "DELETE FROM users WHERE id IN (7, 9)",
    ],
)
def test_same_file_may_lie_elsewhere_and_differ_by_what_changed(
    db: psycopg.Connection, tmp_path: Path, change: str
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    rows = {"users": first_file()["users"]}
    assert moving.run(db, moving.build(tmp_path / "a" / "x.db", rows)).returncode == 1
    db.execute(change)
    done = moving.run(db, moving.build(tmp_path / "b" / "x.db", rows))
    assert done.stderr == ""
    assert "users: 3 rows read" in done.stdout


def test_new_row_with_the_number_of_a_stranger_does_not_get_mixed_with_him(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    """Users registered here after the first run, and others in the file under the same id."""
    file = tmp_path / "a.db"
    rows = {"users": first_file()["users"][:2], "trading_orders": first_file()["trading_orders"]}
    assert moving.run(db, moving.build(file, rows)).returncode == 0
    db.execute(
        "INSERT INTO users (id, email, username, hashed_password) OVERRIDING SYSTEM VALUE"
        " VALUES (11, 'x@y.de', 'x', %s)", [HASH],
    )  # fmt: skip
    for table, more in eve(11).items():
        rows[table] += more
    file.unlink()
    assert moving.run(db, moving.build(file, rows)).returncode == 1
    assert moving.rejects(db) == {
        ("users", 11): "users_pkey", ("trading_orders", 500): "trading_orders_user_id_fkey",
    }  # fmt: skip


@pytest.mark.parametrize("resume", [(), ("--resume",)])
def test_password_that_you_gave_the_administrator_is_kept_and_proven_again(
    db: psycopg.Connection, tmp_path: Path, resume: tuple[str, ...]
) -> None:
    mine = HASH[:-1] + "b"
    db.execute("UPDATE users SET hashed_password = %s", [mine])
    rows = {"users": moving.truth()["users"]}
    rows["users"][0] |= {"email": "admin@rubi-studio.com", "username": "admin"}
    file = moving.build(tmp_path / "a.db", rows)
    for _ in range(2):
        done = moving.run(db, file, *resume)
        assert (done.returncode, "DIFFERS" in done.stdout) == (0, False), done
        query = "SELECT hashed_password FROM users WHERE username = 'admin'"
        assert db.execute(query).fetchall() == [(mine,)]


def test_administrator_who_was_deactivated_returns_so(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    db.execute("UPDATE users SET is_active = FALSE")
    file = moving.build(tmp_path / "a.db", {"users": moving.truth()["users"]})
    assert moving.run(db, file).returncode == 0
    query = "SELECT is_active, is_superuser FROM users WHERE username = 'admin'"
    assert db.execute(query).fetchall() == [(False, True)]
