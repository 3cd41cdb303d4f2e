"""scripts/adopt.py: a database made with the base's schema 3.0.0 becomes ours, no row lost."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from bases import (
    IMPOSSIBLE,
    base,
    check_adopted,
    counts,
    make_base,
    run,
)
from conftest import Address

__all__ = ["base"]  # a fixture


def test_adopted_database_equals_a_fresh_install(
    server: Address, base: psycopg.Connection, fresh_install: str, tmp_path: Path
) -> None:
    before = counts(base)
    sums = "SELECT sum(profit), min(opened_at), max(closed_at) FROM trading_orders WHERE id <= 100"
    was = base.execute(sums).fetchone()
    bars = (
        "SELECT sum(open), sum(volume), min(timestamp)::text FROM market_data WHERE symbol <> 'A'"
    )
    old_bars = base.execute(bars).fetchone()
    done = run(base, "apply", "--backup", tmp_path, "--zone", "Europe/Athens")
    assert done.returncode == 0, done
    check_adopted(server, base, before, fresh_install)
    base.execute("SET timezone = 'Europe/Athens'")
    profit, opened, closed = base.execute(sums).fetchone()
    # a time without zone meant Athens
    assert profit == was[0]
    assert [str(t)[:19] for t in (opened, closed)] == [str(t) for t in was[1:]]
    found = base.execute(bars).fetchone()
    assert (found[0], found[1], found[2][:19]) == old_bars
    assert re.search(r"locked: all nine tables: ACCESS EXCLUSIVE [\d.]+ s, bound 300", done.stdout)
    assert re.search(r"locked: market_data: ROW EXCLUSIVE, longest batch [\d.]+ s", done.stdout)
    assert "unlogged: 0 s" in done.stdout
    unlogged = base.execute(
        "SELECT oid::regclass::text FROM pg_class WHERE relpersistence = 'u' AND relkind = 'r'"
        " ORDER BY 1"
    ).fetchall()  # ours, and empty
    assert unlogged == [("internal.order_claims",), ("internal.strategy_counter_deltas",)]
    counted = "SELECT count(*) FROM audit.changes WHERE table_name = 'trading_orders'"
    assert base.execute(counted).fetchone()[0] == counts(base)["trading_orders"]
    assert "7 rows in quarantine" not in done.stdout
    assert f"{len(IMPOSSIBLE)} rows in quarantine" in done.stdout
    assert run(base, "apply", "--backup", tmp_path).stderr.startswith("error: this database is")


def test_known_passwords_no_longer_open_anything(
    server: Address, base: psycopg.Connection, tmp_path: Path
) -> None:
    assert run(base, "apply", "--backup", tmp_path).returncode == 0
    admin = "SELECT hashed_password FROM users WHERE email = 'admin@rubi-studio.com'"
    assert base.execute(admin).fetchone()[0] == "!"
    shadow = "SELECT rolpassword FROM pg_authid WHERE rolname = 'rubi_app'"
    assert base.execute(shadow).fetchone()[0] is None


def test_snapshots_of_the_base_stay_in_full_until_somebody_says_otherwise(
    base: psycopg.Connection, tmp_path: Path
) -> None:
    base.execute(
        "INSERT INTO account_snapshots (session_id, balance, equity, timestamp)"
        " SELECT session_id, 1, n, timestamp '2024-03-05 10:00' + n * interval '1 minute'"
        " FROM (SELECT session_id FROM mt5_sessions LIMIT 1) AS s, generate_series(1, 50) AS n"
    )
    old = "SELECT count(*) FROM account_snapshots WHERE timestamp::date = '2024-03-05'"
    assert run(base, "apply", "--backup", tmp_path).returncode == 0
    base.execute("CALL follow_lifecycle()")
    assert base.execute(old).fetchone() == (50,)
    base.execute("UPDATE monitoring.lifecycle SET legal_hold = FALSE")
    base.execute("CALL follow_lifecycle()")
    assert base.execute(old).fetchone()[0] < 50


@pytest.mark.slow
def test_million_rows_are_adopted(
    server: Address, empty_database: Callable[..., str], fresh_install: str, tmp_path: Path
) -> None:
    name = empty_database()
    make_base(server, name, 1_000_000)
    with closing(psycopg.connect(server.dsn(name), autocommit=True)) as db:
        before = counts(db)
        assert sum(before.values()) >= 1_000_000
        done = run(db, "apply", "--backup", tmp_path)
        assert done.returncode == 0, done
        print(done.stdout)
        check_adopted(server, db, before, fresh_install)


def test_database_with_another_datestyle_is_adopted(
    base: psycopg.Connection, tmp_path: Path
) -> None:
    base.execute(f"ALTER DATABASE {base.info.dbname} SET datestyle = 'SQL, DMY'")
    before = counts(base)
    assert run(base, "apply", "--backup", tmp_path).returncode == 0
    assert counts(base)["market_data"] == before["market_data"] - 1
