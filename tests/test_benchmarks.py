"""The benchmarks run on the base and on ours; nothing is timed here."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType

import psycopg
import pytest

from conftest import Address
from rubi import ROOT

FOLDER = ROOT / "benchmarks"
SCRIPTS = (
    "position_update", "open_positions", "pending_signals", "signal_insert", "snapshot_insert",
    "order_close",
)  # fmt: skip
KINDS = ("checks", "audit", "counters", "ownership", "status", "notify")


@pytest.fixture(scope="module")
def rules() -> ModuleType:
    """benchmarks/rules.py, imported."""
    sys.path.insert(0, str(FOLDER))
    try:
        spec = importlib.util.spec_from_file_location("rules", FOLDER / "rules.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["rules"] = module
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def loads(rules: ModuleType) -> ModuleType:
    """benchmarks/loads.py, as rules.py imports it."""
    return sys.modules["loads"]


def apply(connection: psycopg.Connection, *names: str) -> None:
    """Run files of benchmarks/, one transaction each, with 400 orders and signals for 20,000."""
    for name in names:
        with connection.transaction():
            connection.execute("SET LOCAL client_min_messages = error")
            connection.execute((FOLDER / name).read_text().replace("20000", "400"))


def run_scripts(server: Address, database: str) -> None:
    """Each pgbench script: one transaction of each of two clients, as the API's role."""
    for script in SCRIPTS:
        done = subprocess.run(
            [server.binaries / "pgbench", "-n", "-M", "prepared", "-c", "2", "-t", "1",
             "-D", "share=10", "-D", "done=0", "-f", FOLDER / f"{script}.sql",
             server.dsn(database, "rubi_app")],
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{script}: {done.stderr}"
        assert "actually processed: 2/2" in done.stdout, script


def counts(connection: psycopg.Connection) -> tuple[int, ...]:
    """Closed orders, signals, snapshots, positions that moved."""
    return connection.execute(
        "SELECT (SELECT count(*) FROM trading_orders WHERE closed_at IS NOT NULL),"
        " (SELECT count(*) FROM trading_signals), (SELECT count(*) FROM account_snapshots),"
        " (SELECT count(*) FROM trading_positions WHERE current_price <> 1.10010)"
    ).fetchone()


def assert_scripts_did_their_work(connection: psycopg.Connection) -> None:
    closed, signals, snapshots, moved = counts(connection)
    assert (closed, signals, snapshots) == (2, 402, 202)
    assert 1 <= moved <= 2


def test_base_installs_and_runs_every_script(
    server: Address, empty_database: Callable[..., str], db: psycopg.Connection
) -> None:
    name = empty_database()  # db: the roles exist once the schema was deployed
    with psycopg.connect(server.dsn(name), autocommit=True) as connection:
        connection.execute('CREATE EXTENSION "uuid-ossp"')
        apply(connection, "base.sql", "data.sql")
        assert connection.execute(
            "SELECT count(*) FROM timescaledb_information.hypertables"
        ).fetchone() == (2,)
        run_scripts(server, name)
        assert_scripts_did_their_work(connection)
        apply(connection, "reopen_orders.sql")
        assert counts(connection)[0] == 0


def test_ours_runs_every_script_with_and_without_its_rules(
    server: Address, db: psycopg.Connection
) -> None:
    name = db.info.dbname
    apply(db, "data.sql")
    run_scripts(server, name)
    assert_scripts_did_their_work(db)
    assert db.execute("SELECT sum(total_trades) FROM trading_strategies").fetchone() == (2,)
    apply(db, "reopen_orders.sql", *(f"without/{kind}.sql" for kind in KINDS))
    left = db.execute(
        "SELECT conname::text FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
        " AND (contype = 'c' OR conname LIKE '%_user_id_fkey' AND cardinality(conkey) > 1)"
        " UNION ALL SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal"
        " AND tgrelid::regclass::text IN ('trading_orders', 'trading_signals', 'users')"
    )
    assert sorted(row[0] for row in left) == [
        "trading_orders_05_account", "trading_orders_06_account", "trading_orders_65_deleted",
        "trading_signals_70_queue", "trading_signals_71_queue_again", "users_90_updated_at",
    ]  # fmt: skip
    traces = db.execute("SELECT count(*) FROM audit.changes").fetchone()
    run_scripts(server, name)
    assert counts(db)[:3] == (2, 404, 204)
    assert db.execute("SELECT count(*) FROM audit.changes").fetchone() == traces


def test_the_mix_is_complete(rules: ModuleType, loads: ModuleType) -> None:
    assert sum(loads.MIX.values()) == 100
    assert {*loads.MIX, "order_close"} == set(SCRIPTS)
    assert rules.KINDS == KINDS
    assert {path.stem for path in (FOLDER / "without").iterdir()} == set(KINDS)
    assert set(rules.CLOSING) <= set(rules.DATABASES)


def test_rounds_alternate(rules: ModuleType) -> None:
    assert "".join(rules.in_turn(("a", "b", "c"), 3)) == "abccbaabc"


def test_cost_is_the_median_of_the_rounds_ratios(rules: ModuleType) -> None:
    figures = {
        "base": [rules.Figures(100, 50), rules.Figures(200, 50), rules.Figures(100, 50)],
        "ours": [rules.Figures(80, 60), rules.Figures(240, 70), rules.Figures(90, 80)],
        "without_audit": [rules.Figures(100, 40), rules.Figures(240, 45), rules.Figures(100, 90)],
    }
    rows = rules.table(figures)[2:]
    assert [re.split(r" *\| *", row)[3:7] for row in rows] == [
        ["1.00", "", "50", ""],
        ["0.90", "", "70", ""],
        ["1.00", "10.0%", "45", "25"],
    ]
