"""A row that breaks a rule is rejected by its name with all that hangs on it; the rest comes in."""

from __future__ import annotations

import json
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

import moving
from moving import D

# table, row of truth() by place, what is broken, rule
BROKEN = [
    ("users", 0, {"email": "no address"}, "users_email_form_check"),
    ("users", 0, {"hashed_password": "secret-in-plain"}, "users_hashed_password_is_hash_check"),
    ("users", 0, {"is_active": "perhaps"}, "users_is_active_is_boolean"),
    ("users", 0, {"created_at": "yesterday"}, "users_created_at_is_time"),
    ("users", 0, {"created_at": "2025-02-30 10:00:00"}, "users_created_at_is_time"),
    ("users", 0, {"username": None}, "users_username_not_null"),
    ("trading_strategies", 0, {"symbols": "[EURUSD"}, "trading_strategies_symbols_is_json"),
    ("trading_strategies", 0, {"symbols": '["a", NaN]'}, "trading_strategies_symbols_is_json"),
    ("trading_strategies", 0, {"symbols": '{"a": 1}'}, "symbol_list_form_check"),
    ("trading_strategies", 0, {"risk_per_trade": 2.0},
     "risk_share_range_check"),
    ("trading_strategies", 0, {"max_positions": 1.5},
     "trading_strategies_max_positions_is_integer"),
    ("trading_strategies", 0, {"max_positions": 2**40}, "trading_strategies_max_positions_fits"),
    ("trading_strategies", 0, {"user_id": 12345}, "trading_strategies_user_id_fkey"),
    ("mt5_sessions", 1, {"session_id": "not-a-uuid"}, "mt5_sessions_session_id_is_uuid"),
    ("mt5_sessions", 1, {"margin": -1.0}, "margin_not_negative_check"),
    ("mt5_sessions", 1, {"disconnected_at": "2024-01-01"},
     "mt5_sessions_disconnected_after_connected_check"),
    ("trading_signals", 1, {"signal_type": "HOLD"}, "trading_signals_signal_type_is_known"),
    ("trading_signals", 1, {"confidence": 7}, "confidence_range_check"),
    ("trading_signals", 1, {"volume": -1}, "volume_positive_check"),
    ("trading_signals", 1, {"strategy_id": 3}, "trading_signals_strategy_id_user_id_fkey"),
    ("trading_orders", 1, {"order_type": "MAYBE"}, "order_type_known_check"),
    ("trading_orders", 1, {"volume": "1,5"}, "trading_orders_volume_is_number"),
    ("trading_orders", 1, {"profit": float("inf")}, "trading_orders_profit_fits"),
    ("trading_orders", 1, {"profit": "NaN"}, "amount_not_nan_check"),
    ("trading_orders", 0, {"closed_at": "2020-01-01"}, "trading_orders_closed_after_opened_check"),
    ("trading_orders", 0, {"opened_at": None}, "trading_orders_opened_at_not_null"),
    ("trading_orders", 1, {"open_price": 1e13}, "trading_orders_open_price_fits"),
    ("trading_orders", 1, {"opened_at": "1970-01-01 00:00:00"}, "event_time_range_check"),
    ("trading_orders", 1, {"mt5_position_id": "9" * 900}, "key_length_check"),
    ("mt5_sessions", 1, {"last_ping": "2099-01-01 00:00:00"}, "event_time_range_check"),
    ("trading_signals", 1, {"status_message": "x" * 70_000}, "long_text_length_check"),
    ("account_snapshots", 0, {"timestamp": "1999-12-31 00:00:00"},
     "account_snapshots_timestamp_range_check"),
    ("account_snapshots", 0, {"timestamp": "2099-01-01 00:00:00"},
     "account_snapshots_timestamp_range_check"),
    ("market_data", 0, {"timestamp": "1699-12-31 00:00:00"}, "market_data_timestamp_range_check"),
    ("market_data", 0, {"timestamp": "2099-01-01 00:00:00"}, "market_data_timestamp_range_check"),
    ("trading_positions", 0, {"session_id": str(uuid.UUID(int=99))},
     "trading_positions_session_id_fkey"),
    ("trading_positions", 0, {"type": "LONG"}, "position_type_known_check"),
    ("trading_positions", 0, {"symbol": "EUR\0USD"}, "trading_positions_symbol_is_text"),
    ("account_snapshots", 0, {"timestamp": None}, "account_snapshots_timestamp_not_null"),
    ("account_snapshots", 0, {"session_id": str(uuid.UUID(int=99))},
     "account_snapshots_session_id_fkey"),
    ("market_data", 0, {"high": 0.5}, "market_data_high_is_highest_check"),
    ("market_data", 0, {"timeframe": "M7"}, "timeframe_known_check"),
    ("market_data", 0, {"open": None}, "market_data_open_not_null"),
    ("performance_metrics", 0, {"win_rate": 400}, "performance_metrics_win_rate_range_check"),
]  # fmt: skip


def test_broken_rules_are_named_and_nothing_else_stops(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    """Each broken row stands beside the whole truth, under a number of its own."""
    rows = moving.truth()
    expected = {}
    for number, (table, place, change, rule) in enumerate(BROKEN, 1000):
        row = moving.truth()[table][place] | {"id": number}
        # what is unique is made so, or that would be the rule
        for name in ("email", "username", "ticket", "mt5_order_id"):
            if row.get(name):
                row[name] = f"{number}{row[name]}"
        if table == "mt5_sessions":
            row["session_id"] = uuid.UUID(int=number)
        if table == "trading_orders":
            row["signal_id"] = None
        if table in ("market_data", "account_snapshots"):
            row["timestamp"] = row["timestamp"].replace(year=2020, minute=number % 60)
        rows[table].append(row | change)
        expected[table, number] = rule
    done = moving.run(db, moving.build(tmp_path / "a.db", rows))
    assert (done.returncode, done.stderr) == (1, "")
    assert moving.rejects(db) == expected
    moving.same(db, moving.truth())
    assert "DIFFERS" not in done.stdout
    lines = (tmp_path / "a.db.rejected.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert {(r["table"], r["row"]): r["rule"] for r in records} == expected
    assert "secret-in-plain" not in "".join(lines) + done.stdout + str(
        db.execute("SELECT * FROM migration.rejects").fetchall()
    )
    broken = next(r for r in records if r["rule"] == "market_data_high_is_highest_check")
    assert broken["values"]["high"] == 0.5


def test_rows_that_hang_on_a_rejected_row_follow_it(db: psycopg.Connection, tmp_path: Path) -> None:
    rows = moving.truth()
    rows["users"][0]["email"] = "no address"
    done = moving.run(db, moving.build(tmp_path / "a.db", rows))
    assert done.returncode == 1
    assert moving.rejects(db) == {
        ("users", 7): "users_email_form_check",
        ("trading_strategies", 3): "trading_strategies_user_id_fkey",
        ("mt5_sessions", 1): "mt5_sessions_user_id_fkey",
        ("trading_signals", 11): "trading_signals_user_id_fkey",
        ("trading_orders", 21): "trading_orders_user_id_fkey",
        ("trading_positions", 31): "trading_positions_session_id_fkey",
        ("account_snapshots", 51): "account_snapshots_session_id_fkey",
        ("account_snapshots", 53): "account_snapshots_session_id_fkey",
        ("performance_metrics", 71): "performance_metrics_user_id_fkey",
    }
    assert "DIFFERS" not in done.stdout


def test_rows_of_a_rejected_user_do_not_pass_to_a_stranger(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    """With --merge somebody else may have the id: his rows are not mixed with those."""
    rows = {t: moving.truth()[t] for t in ("users", "trading_orders")}
    rows["users"][0]["id"] = rows["trading_orders"][0]["user_id"] = 1  # as our administrator
    rows["trading_orders"][0]["signal_id"] = None
    done = moving.run(db, moving.build(tmp_path / "a.db", rows), "--merge")
    assert done.returncode == 1
    assert moving.rejects(db) == {
        ("users", 1): "users_pkey",
        ("trading_orders", 21): "trading_orders_user_id_fkey",
    }


def test_duplicates_are_rejected_and_the_first_comes_in(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    rows = moving.truth()
    rows["users"].append(
        rows["users"][0] | {"id": 8, "username": "Ann2", "email": "ANN@example.com"}
    )
    rows["users"].append(rows["users"][0] | {"id": 10, "email": "c@example.com"})
    rows["market_data"].append(rows["market_data"][0] | {"id": 90, "close": D("1.25")})
    rows["trading_orders"].append(rows["trading_orders"][1] | {"id": 23, "signal_id": 11,
                                                               "user_id": 7})  # fmt: skip
    rows["trading_positions"].append(rows["trading_positions"][0] | {"id": 32})
    rows["account_snapshots"].append(rows["account_snapshots"][0] | {"id": 90})
    assert moving.run(db, moving.build(tmp_path / "a.db", rows)).returncode == 1
    assert moving.rejects(db) == {
        ("users", 8): "users_email_lower_key",
        ("users", 10): "users_username_key",
        ("market_data", 90): "market_data_pkey",
        ("trading_orders", 23): "trading_orders_signal_id_key",
        ("trading_positions", 32): "trading_positions_ticket_account_id_key",
        ("account_snapshots", 90): "account_snapshots_pkey",
    }
    moving.same(db, moving.truth())


def test_two_rows_with_one_id_keep_what_hangs_on_it(db: psycopg.Connection, tmp_path: Path) -> None:
    """A file without a primary key: the children of the id belong to the row that came in."""
    rows = moving.truth()
    path = moving.build(tmp_path / "a.db", {t: r for t, r in rows.items() if t != "users"})
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE users (id, email, username, hashed_password)")
        for user in (*rows["users"], rows["users"][0] | {"email": "z@example.com",
                                                         "username": "z"}):  # fmt: skip
            values = [user[n] for n in ("id", "email", "username", "hashed_password")]
            connection.execute("INSERT INTO users VALUES (?, ?, ?, ?)", values)
        connection.commit()
    assert moving.run(db, path).returncode == 1
    assert moving.rejects(db) == {("users", 3): "users_pkey"}


def test_users_with_unknown_hashes_can_be_locked_instead(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    rows = moving.truth()
    rows["users"][0]["hashed_password"] = "plain"
    file = moving.build(tmp_path / "a.db", rows)
    assert moving.run(db, file, "--lock-passwords").returncode == 0
    assert moving.stored(db, "users", ["hashed_password"])[0] == {"hashed_password": "!"}


def test_text_that_is_no_utf8_is_rejected_alone(db: psycopg.Connection, tmp_path: Path) -> None:
    path = moving.build(tmp_path / "a.db", moving.truth())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE users SET username = CAST(x'41ff42' AS TEXT) WHERE id = 9")
        connection.commit()
    assert moving.run(db, path, "--only", "users").returncode == 1
    assert moving.rejects(db) == {("users", 9): "users_username_is_text"}


def test_one_bad_row_in_every_batch_costs_little_more(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    """30,000 bars with a bad one every 97: all of those are found, and no other."""
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE market_data (id INTEGER PRIMARY KEY, symbol, timeframe, timestamp, open,"
            " high, low, close, volume)"
        )
        connection.executemany(
            "INSERT INTO market_data VALUES (?, 'A', 'M1', ?, 1.5, ?, 1.0, 1.5, 1)",
            ((n, 1_700_000_000 + n * 60, 1.2 if n % 97 == 0 else 2.0) for n in range(30_000)),
        )
        connection.commit()
    assert moving.run(db, path).returncode == 1
    found = moving.rejects(db)
    assert set(found) == {("market_data", n) for n in range(0, 30_000, 97)}
    assert set(found.values()) == {"market_data_high_is_highest_check"}
    count = db.execute("SELECT count(*) FROM market_data").fetchone()[0]
    assert count == 30_000 - len(found)
    assert db.execute("SELECT sum(bars) FROM market_series").fetchone()[0] == count


@pytest.mark.parametrize("form", ["sqlite", "csv"])
def test_source_is_not_replaced_by_its_rejects(
    db: psycopg.Connection, tmp_path: Path, form: str
) -> None:
    """Nor through another name of its."""
    other, run = tmp_path / "other.jsonl", moving.run
    if form == "sqlite":
        file = moving.build(tmp_path / "a.db", moving.truth())
    else:
        file, run = tmp_path / "users.csv", moving.run_csv
        file.write_text("id,email\n7,no e-mail\n")
    before = file.read_bytes()
    other.symlink_to(file)
    for named in (file, other):
        done = run(db, file, "--rejects", named)
        assert done.returncode == 1 and "would replace the source" in done.stderr
    assert file.read_bytes() == before
