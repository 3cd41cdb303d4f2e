"""scripts/migrate_sqlite.py: tables, columns, ids and users arrive, or what is wrong is named."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest

import moving
from moving import D, at
from rows import HASH

ATHENS = ZoneInfo("Europe/Athens")


def test_known_columns_alone_take_defaults_for_the_rest(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    """The columns that SPEC part 1 knows of SQLite files, without an id."""
    known = {
        "users": "email username hashed_password is_active created_at",
        "trading_strategies": "user_id name description symbols timeframes max_positions"
        " risk_per_trade",
        "trading_signals": "user_id strategy_id symbol signal_type status entry_price stop_loss"
        " take_profit volume signal_time received_at",
    }
    rows = {
        table: [{name: row[name] for name in names.split()} for row in moving.truth()[table]]
        for table, names in known.items()
    }
    for row in (*rows["trading_strategies"], *rows["trading_signals"]):
        row["user_id"] = {7: 1, 9: 2}[row["user_id"]]
        if row.get("strategy_id"):
            row["strategy_id"] = 1
    done = moving.run(db, moving.build(tmp_path / "a.db", rows))
    assert done.returncode == 0, done
    found = moving.stored(db, "trading_signals", ["id", "status", "timeframe", "executed_at"])
    # the time of execution is not known: the signal was received by then
    assert found == [
        {"id": 1, "status": "EXECUTED", "timeframe": "H1", "executed_at": at("2025-03-11 00:00")},
        {"id": 2, "status": "PENDING", "timeframe": "H1", "executed_at": None},
    ]
    assert [r["id"] for r in moving.stored(db, "users", ["id"])] == [1, 2, 3]  # and our own


def test_ids_are_kept_and_sequences_go_on_after_them(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    assert moving.run(db, moving.build(tmp_path / "a.db", moving.truth())).returncode == 0
    for table, rows in moving.truth().items():
        top = max(row["id"] for row in rows)
        name = f"public.{table}_id_seq"
        later = db.execute("SELECT nextval(%s)", [name]).fetchone()[0]
        assert later > top, table


def test_null_takes_the_default_where_ours_needs_a_value(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    rows = {t: moving.truth()[t] for t in ("users", "trading_strategies")}
    rows["users"][0] |= {"is_active": None, "created_at": None}
    rows["trading_strategies"][0] |= {"symbols": "", "risk_per_trade": None, "timeframes": None}
    assert moving.run(db, moving.build(tmp_path / "a.db", rows)).returncode == 0
    user, _, _ = moving.stored(db, "users", ["is_active", "created_at"])
    assert user["is_active"] is True
    assert user["created_at"] == db.execute(
        "SELECT started_at FROM migration.progress WHERE table_name = 'users'"
    ).fetchone()[0]  # fmt: skip
    strategy = moving.stored(db, "trading_strategies", ["symbols", "risk_per_trade", "timeframes"])
    assert strategy[0] == {"symbols": [], "risk_per_trade": D("0.02"), "timeframes": ["H1"]}


def test_unknown_columns_are_listed_and_kept(db: psycopg.Connection, tmp_path: Path) -> None:
    rows = moving.truth()
    rows["trading_orders"][0] |= {"magic": 77, "note": "häh\t\\", "blob": b"\x01\xff"}
    rows["trading_strategies"][0] |= {"total_trades": 5, "total_profit": 12.5}
    done = moving.run(db, moving.build(tmp_path / "a.db", rows))
    assert done.returncode == 0, done
    assert "kept aside: magic, note, blob" in done.stdout
    kept = db.execute(
        "SELECT table_name, source_row, owner, row_values FROM migration.leftovers ORDER BY 1"
    ).fetchall()
    users = [str(rows[table][0]["user_id"]) for table in ("trading_orders", "trading_strategies")]
    assert kept == [
        ("trading_orders", 21, users[0], {"magic": 77, "note": "häh\t\\", "blob": "01ff"}),
        ("trading_strategies", 3, users[1], {"total_trades": 5, "total_profit": 12.5}),
    ]
    counted = moving.stored(db, "trading_strategies", ["total_trades", "total_profit"])
    # counted from the orders, not believed
    assert counted[0] == {"total_trades": 1, "total_profit": D("20")}
    assert moving.stored(db, "trading_strategies", ["updated_at"])[0]["updated_at"] == at(
        "2025-03-02 00:00"
    )


def test_extra_tables_are_listed(db: psycopg.Connection, tmp_path: Path) -> None:
    rows = moving.truth() | {"alembic_version": [{"version_num": "abc"}], "logs": []}
    done = moving.run(db, moving.build(tmp_path / "a.db", rows))
    assert done.returncode == 0
    assert "alembic_version: 1 rows, NOT TAKEN" in done.stdout
    assert "logs: 0 rows, NOT TAKEN" in done.stdout


def test_map_renames_tables_columns_and_words(db: psycopg.Connection, tmp_path: Path) -> None:
    rows = moving.truth()
    rows["deals"] = rows.pop("trading_orders")
    for row in rows["deals"]:
        row["ticket"] = row.pop("mt5_order_id")
        row["order_type"] = {"BUY": 0, "BUY_STOP_LIMIT": 6}[row["order_type"]]
        row["opened_at"] = row["opened_at"].astimezone(ATHENS).strftime("%Y-%m-%d %H:%M:%S")
    config = tmp_path / "config.toml"
    config.write_text(
        '[tables]\ndeals = "trading_orders"\n[columns.trading_orders]\nticket = "mt5_order_id"\n'
        '[values."trading_orders.order_type"]\n0 = "BUY"\n6 = "BUY_STOP_LIMIT"\n'
        '[zones]\n"trading_orders.opened_at" = "Europe/Athens"\n'
    )
    done = moving.run(db, moving.build(tmp_path / "a.db", rows), "--map", config)
    assert done.returncode == 0, done
    moving.same(db, {"trading_orders": moving.truth()["trading_orders"]})


@pytest.mark.parametrize(
    "text", ["[tables", 'colour = "red"', '[tables]\na = "b"', 'zone = "Nowhere/Land"', "zone = 1"]
)
def test_map_that_says_nothing_we_know_is_refused(
    db: psycopg.Connection, tmp_path: Path, text: str
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(text)
    done = moving.run(db, moving.build(tmp_path / "a.db", moving.truth()), "--map", config)
    assert done.returncode == 1
    assert db.execute("SELECT count(*) FROM migration.progress").fetchone()[0] == 0


def test_only_moves_the_tables_named(db: psycopg.Connection, tmp_path: Path) -> None:
    file = moving.build(tmp_path / "a.db", moving.truth())
    assert moving.run(db, file, "--only", "market_data").returncode == 0
    assert db.execute("SELECT count(*) FROM trading_orders").fetchone()[0] == 0
    moving.same(db, {"market_data": moving.truth()["market_data"]})
    assert moving.run(db, file, "--only", "prices").returncode == 1


def test_dry_run_says_all_and_leaves_nothing(db: psycopg.Connection, tmp_path: Path) -> None:
    rows = moving.truth()
    rows["users"][1]["email"] = "no address"
    file = moving.build(tmp_path / "a.db", rows)
    before = db.execute("SELECT id, email FROM users").fetchall()
    done = moving.run(db, file, "--dry-run")
    assert done.returncode == 1
    assert "REJECTED" in done.stdout
    assert "dry run" in done.stdout
    assert db.execute("SELECT id, email FROM users").fetchall() == before
    for table in ("public.market_data", "migration.rejects", "migration.proofs"):
        assert db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0
    assert (tmp_path / "a.db.rejected.jsonl").exists()


def test_without_rowid_and_empty_tables_are_read(db: psycopg.Connection, tmp_path: Path) -> None:
    path = moving.build(tmp_path / "a.db", {t: [] for t in moving.truth() if t != "market_data"})
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE market_data (symbol, timeframe, timestamp, open, high, low, close,"
            " PRIMARY KEY (symbol, timeframe, timestamp)) WITHOUT ROWID"
        )
        for hour in range(3):
            connection.execute(
                "INSERT INTO market_data VALUES ('X', 'H1', ?, 1, 1, 1, 1)",
                [f"2025-03-10 0{hour}:00:00"],
            )
        connection.commit()
    done = moving.run(db, path)
    assert done.returncode == 0, done
    assert db.execute("SELECT count(*), sum(volume) FROM market_data").fetchone() == (3, 0)
    assert "users: 0 rows" in done.stdout


def test_negative_row_numbers_are_read(db: psycopg.Connection, tmp_path: Path) -> None:
    rows = {"market_data": moving.truth()["market_data"]}
    for row in rows["market_data"]:
        row["id"] -= 63
    assert moving.run(db, moving.build(tmp_path / "a.db", rows)).returncode == 0
    moving.same(db, rows)


def test_second_run_moves_only_what_is_missing(db: psycopg.Connection, tmp_path: Path) -> None:
    rows = moving.truth()
    rows["market_data"].append(rows["market_data"][0] | {"id": 99})  # a duplicate
    file = moving.build(tmp_path / "a.db", rows)
    assert moving.run(db, file).returncode == 1
    assert moving.rejects(db) == {("market_data", 99): "market_data_pkey"}
    db.execute("DELETE FROM trading_positions")
    db.execute("DELETE FROM market_data WHERE id = 63")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("INSERT INTO market_data SELECT 100, symbol, timeframe,"
                           " '2025-04-01 00:00:00', open, high, low, close, volume"
                           " FROM market_data WHERE id = 61")  # fmt: skip
        connection.commit()
    done = moving.run(db, file)
    assert "market_data: 7 rows read, 2 moved, 4 there already, 1 REJECTED" in done.stdout
    assert "trading_positions: 1 rows read, 1 moved" in done.stdout
    assert "users: 2 rows read, 0 moved, 2 there already" in done.stdout
    assert "DIFFERS" not in done.stdout
    assert moving.rejects(db) == {("market_data", 99): "market_data_pkey"}
    expected = moving.truth()
    expected["market_data"].append(expected["market_data"][0] | {
        "id": 100, "timestamp": at("2025-04-01 00:00")
    })  # fmt: skip
    moving.same(db, expected)


def test_row_that_was_repaired_comes_in_with_the_next_run(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    rows = moving.truth()
    rows["users"][1]["email"] = "no address"
    file = moving.build(tmp_path / "a.db", rows)
    assert moving.run(db, file).returncode == 1
    assert len(moving.rejects(db)) > 3
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE users SET email = 'bob@example.com' WHERE id = 9")
        connection.commit()
    assert moving.run(db, file).returncode == 0
    moving.same(db, moving.truth())
    assert moving.rejects(db) == {}
    assert not (tmp_path / "a.db.rejected.jsonl").exists()


def test_proof_sees_what_changed_afterwards(db: psycopg.Connection, tmp_path: Path) -> None:
    """The proof can fail: a price that was changed here is seen by sum and hash."""
    file = moving.build(tmp_path / "a.db", moving.truth())
    assert moving.run(db, file).returncode == 0
    db.execute("UPDATE market_data SET close = close + 0.00000001 WHERE id = 61")
    done = moving.run(db, file)
    assert done.returncode == 1
    assert "DIFFERS" in done.stdout
    wrong = db.execute("SELECT measure FROM migration.proofs WHERE NOT holds").fetchall()
    assert {m for (m,) in wrong} == {"sum close", "min close", "hash"}


def test_rows_of_others_are_left_out_of_the_proof(db: psycopg.Connection, tmp_path: Path) -> None:
    file = moving.build(tmp_path / "a.db", moving.truth())
    db.execute(
        "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
        " VALUES ('OTHER', 'M1', '2025-01-01', 1, 1, 1, 1)"
    )
    done = moving.run(db, file)
    assert (done.returncode, "DIFFERS" in done.stdout) == (0, False), done


def test_administrator_of_ours_keeps_his_password_and_gives_way(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    mine = HASH[:-1] + "b"
    db.execute("UPDATE users SET hashed_password = %s", [mine])
    rows = {"users": moving.truth()["users"]}
    rows["users"][0]["id"] = 1  # his id is somebody else's there
    assert moving.run(db, moving.build(tmp_path / "a.db", rows)).returncode == 0
    moving.same(db, rows)
    found = db.execute("SELECT id, hashed_password FROM users WHERE username = 'admin'").fetchone()
    assert found == (10, mine)


def test_database_with_users_of_its_own_is_refused(db: psycopg.Connection, tmp_path: Path) -> None:
    db.execute(
        "INSERT INTO users (email, username, hashed_password) VALUES ('x@y', 'x', %s)", [HASH]
    )
    file = moving.build(tmp_path / "a.db", moving.truth())
    assert "--merge" in moving.run(db, file).stderr
    assert moving.run(db, file, "--merge").returncode == 0
