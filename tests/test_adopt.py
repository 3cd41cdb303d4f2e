"""scripts/adopt.py: a database made with the base's schema 3.0.0 becomes ours, no row lost."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

import adopt
import deploying
import moving
from conftest import ROOT, Address
from rows import HASH
from rubi.deploying import sqlfiles
from rubi.moving import adopting, command, sources
from rubi.servers import pgtools

ROWS = """
INSERT INTO users (id, email, username, hashed_password)
SELECT n, 'u' || n || '@example.com', 'u' || n, '{hash}' FROM generate_series(2, 21) AS n;
INSERT INTO trading_strategies (user_id, name) SELECT n, 's' FROM generate_series(2, 21) AS n;
INSERT INTO mt5_sessions (user_id, account_number, broker)
SELECT n, n, 'B' FROM generate_series(2, 21) AS n;
INSERT INTO trading_signals (user_id, strategy_id, symbol, signal_type, status, volume, signal_time)
SELECT 2 + n % 20, 1 + n % 20, 'EURUSD', 'BUY', 'EXECUTED', 1, '2025-01-01'
FROM generate_series(1, {rows} / 20) AS n;
INSERT INTO trading_orders (signal_id, user_id, mt5_order_id, symbol, order_type, volume,
    open_price, close_price, profit, opened_at, closed_at)
SELECT n, 2 + n % 20, n, 'EURUSD', 'buy', 0.1, 1.1, 1.2, 10.25, '2025-01-01', '2025-01-02'
FROM generate_series(1, {rows} / 20) AS n;
INSERT INTO trading_positions (session_id, ticket, symbol, type, volume, open_price,
    current_price, open_time)
SELECT session_id, id, 'EURUSD', 'BUY', 1, 1, 1, '2025-01-01' FROM mt5_sessions;
INSERT INTO account_snapshots (session_id, balance, equity, timestamp)
SELECT s.session_id, 1000, 1000 + n, timestamp '2025-01-01' + n * interval '1 minute'
FROM mt5_sessions AS s, generate_series(1, {rows} / 100) AS n;
INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close, volume)
SELECT 'S' || n % 10, 'M1', timestamp '2025-01-01' + n / 10 * interval '1 minute',
    1.1, 1.3, 1.0, 1.2, n
FROM generate_series(1, {rows} * 7 / 10) AS n;
INSERT INTO performance_metrics (user_id, period_start, period_end)
VALUES (2, '2025-01-01', '2025-02-01');
"""
# impossible rows, and the rule each breaks
IMPOSSIBLE = {
    "INSERT INTO users (email, username, hashed_password) VALUES ('nobody', 'x', '{hash}')":
        ("users", "users_email_form_check"),
    "INSERT INTO trading_orders (user_id, symbol, order_type, volume, opened_at, closed_at,"
    " close_price) VALUES (3, 'A', 'BUY', 1, '2025-01-02', '2025-01-01', 1)":
        ("trading_orders", "trading_orders_closed_after_opened_check"),
    "INSERT INTO trading_signals (user_id, symbol, signal_type, volume, signal_time, confidence)"
    " VALUES (3, 'A', 'SELL', 1, '2025-01-02', 7)":
        ("trading_signals", "confidence_range_check"),
    "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
    " VALUES ('A', 'H1', '2025-01-01', 1, 0.5, 1, 1)":
        ("market_data", "market_data_high_is_highest_check"),
    "INSERT INTO account_snapshots (session_id, balance, equity, timestamp)"
    " SELECT session_id, 'NaN', 1, '2024-01-01' FROM mt5_sessions WHERE id = 1":
        ("account_snapshots", "amount_not_nan_check"),
    "INSERT INTO performance_metrics (user_id, period_start, period_end, win_rate)"
    " VALUES (3, '2025-01-01', '2025-02-01', 400)":
        ("performance_metrics", "performance_metrics_win_rate_range_check"),
}  # fmt: skip


# their nearest neighbours that break no rule
POSSIBLE = [
    "INSERT INTO users (email, username, hashed_password) VALUES ('n@b.io', 'y', '{hash}')",
    "INSERT INTO trading_orders (user_id, symbol, order_type, volume, opened_at, closed_at,"
    " close_price) VALUES (3, 'A', 'BUY', 1, '2025-01-02', '2025-01-02', 1)",
    "INSERT INTO trading_signals (user_id, symbol, signal_type, volume, signal_time, confidence)"
    " VALUES (3, 'A', 'SELL', 1, '2025-01-02', 1)",
    "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
    " VALUES ('B', 'H1', '2025-01-01', 1, 1, 1, 1), ('C', 'h1', '2025-01-01', 1, 1, 1, 1)",
    "INSERT INTO account_snapshots (session_id, balance, equity, timestamp)"
    " SELECT session_id, -1, 1, '2024-01-01' FROM mt5_sessions WHERE id = 2",
    "INSERT INTO performance_metrics (user_id, period_start, period_end, win_rate)"
    " VALUES (3, '2025-01-01', '2025-02-01', 100)",
]
# each breaks a rule by what another row is
HANGING = """
ALTER TABLE market_data DROP CONSTRAINT market_data_symbol_timeframe_timestamp_key;
INSERT INTO users (id, email, username, hashed_password) VALUES (90, 'gone', 'gone', '{hash}');
INSERT INTO mt5_sessions (user_id, account_number, broker) VALUES (90, 90, 'B');
INSERT INTO account_snapshots (session_id, balance, equity, timestamp)
SELECT session_id, 1, 1, '2025-01-01' FROM mt5_sessions WHERE user_id = 90;
INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)
SELECT 'B', 'H1', '2025-01-01', 1, 3, 1, n FROM generate_series(1, 2) AS n;
"""


def base_text() -> str:
    """benchmarks/base.sql as users really have it: id alone is the key, and a known password."""
    text = (ROOT / "benchmarks/base.sql").read_text()
    text = text.replace(",\n    PRIMARY KEY (id, timestamp)", "")
    text = text.replace("    id serial,", "    id serial PRIMARY KEY,")
    assert text.count("id serial PRIMARY KEY") == 9
    return text.replace("'!', TRUE", f"'{HASH}', TRUE")


def make_base(server: Address, name: str, rows: int = 2000) -> None:
    """Install the base as psql would, going on after what fails, and fill it."""
    with closing(psycopg.connect(server.dsn(), autocommit=True)) as connection:
        if not connection.execute("SELECT FROM pg_roles WHERE rolname = 'rubi_app'").rowcount:
            connection.execute("CREATE ROLE rubi_app LOGIN")
        connection.execute("GRANT rubi_app TO rubi_admin WITH ADMIN OPTION")
        connection.execute("ALTER ROLE rubi_app PASSWORD 'change_me'")
    failed = []
    with closing(psycopg.connect(server.dsn(name, "rubi_admin"), autocommit=True)) as connection:
        connection.execute('CREATE EXTENSION IF NOT EXISTS "uuid-ossp"')
        for _, statement in sqlfiles.statements(base_text()):
            try:
                connection.execute(statement)
            except psycopg.Error as error:
                failed.append((statement.split("'")[1], error.sqlstate))
        connection.execute(ROWS.format(hash=HASH, rows=rows))
        connection.execute("SELECT setval('users_id_seq', max(id)) FROM users")
        for statement in IMPOSSIBLE:
            connection.execute(statement.format(hash=HASH))
    # as they do: a unique index without the time column
    assert failed == [("account_snapshots", "TS103"), ("market_data", "TS103")]


@pytest.fixture
def base(server: Address, empty_database: Callable[..., str]) -> Iterator[psycopg.Connection]:
    """The base system with rows, possible and impossible ones."""
    name = empty_database()
    make_base(server, name)
    with closing(psycopg.connect(server.dsn(name), autocommit=True)) as connection:
        yield connection


def run(db: psycopg.Connection, *arguments: object) -> moving.Done:
    return moving.run(db, *arguments, script=adopt)


def counts(db: psycopg.Connection, schema: str = "public") -> dict[str, int]:
    return {
        table: db.execute(f"SELECT count(*) FROM {schema}.{table}").fetchone()[0]
        for table in adopting.TABLES
    }


def check_adopted(
    server: Address, db: psycopg.Connection, before: dict[str, int], fresh: str
) -> None:
    """Catalog as a fresh install leaves it; every row here or in quarantine."""
    assert deploying.left_in_catalog(server, db.info.dbname) == deploying.left_in_catalog(
        server, fresh
    )
    assert deploying.run(server, db.info.dbname, "status").stdout.count("applied") == len(
        sqlfiles.read_files()
    )
    quarantine = db.execute(
        "SELECT table_name, count(*) FROM migration.rejects GROUP BY 1"
    ).fetchall()
    here = counts(db)
    assert {t: here[t] + dict(quarantine).get(t, 0) for t in here} == before
    assert dict(db.execute("SELECT table_name, rule FROM migration.rejects").fetchall()) == dict(
        IMPOSSIBLE.values()
    )
    assert db.execute("SELECT bool_and(holds) FROM migration.proofs").fetchone()[0]
    assert db.execute(
        "SELECT count(*) FROM timescaledb_information.hypertables"
        " WHERE hypertable_name IN ('market_data', 'account_snapshots')"
    ).fetchone()[0] == 2  # fmt: skip


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


def test_plan_writes_nothing(
    server: Address, base: psycopg.Connection, empty_database: Callable[..., str]
) -> None:
    scratch = empty_database()
    before = deploying.left_in_catalog(server, base.info.dbname)
    empty = deploying.left_in_catalog(server, scratch)
    done = run(base, "plan", "--scratch", scratch)
    assert done.returncode == 0, done
    assert "market_data: 1,401 rows" in done.stdout
    assert "ACCESS EXCLUSIVE on the nine tables for about" in done.stdout
    assert deploying.left_in_catalog(server, base.info.dbname) == before
    assert deploying.left_in_catalog(server, scratch) == empty


def planned(done: moving.Done) -> dict[tuple[str, str], tuple[int, int]]:
    """Table and rule: rows, and one of them."""
    lines = re.findall(r"(?m)^(\w+): (\w+): (\d+) rows?, one has id (\d+): ", done.stdout)
    return {(table, rule): (int(rows), int(id_)) for table, rule, rows, id_ in lines}


def test_plan_names_each_rule_that_rows_break(
    base: psycopg.Connection, empty_database: Callable[..., str]
) -> None:
    for statement in POSSIBLE:
        base.execute(statement.format(hash=HASH))
    before = counts(base)
    done = run(base, "plan", "--scratch", empty_database())
    assert done.returncode == 0, done
    found = planned(done)
    assert set(found) == set(IMPOSSIBLE.values())
    for (table, _), (rows, example) in found.items():
        assert rows == 1
        assert base.execute(f"SELECT FROM {table} WHERE id = %s", [example]).rowcount == 1
    assert f"{len(IMPOSSIBLE)} rows break a rule" in done.stdout
    assert counts(base) == before
    assert run(base, "plan", "--no-rows").stdout.count("rule") == 0


def test_plan_finds_what_apply_keeps_in_quarantine(
    base: psycopg.Connection, empty_database: Callable[..., str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(sources, "ROWS", 500)  # bars come in several batches
    base.execute(HANGING.format(hash=HASH))
    found = planned(run(base, "plan", "--scratch", empty_database()))
    assert found["account_snapshots", "account_snapshots_session_id_fkey"][0] == 1
    assert found["market_data", "market_data_pkey"][0] == 1
    assert run(base, "apply", "--backup", tmp_path).returncode == 0
    kept = base.execute(
        "SELECT table_name, rule, count(*) FROM migration.rejects GROUP BY 1, 2"
    ).fetchall()
    assert {(table, rule): rows for table, rule, rows in kept} == {
        rule: rows for rule, (rows, _) in found.items()
    }


def test_plan_of_a_sound_base_says_that_all_rows_come(
    base: psycopg.Connection, empty_database: Callable[..., str]
) -> None:
    arguments = ["plan", "--scratch", empty_database()]
    for (table, _), (_, example) in planned(run(base, *arguments)).items():
        base.execute(f"DELETE FROM {table} WHERE id = %s", [example])
    assert "no row breaks a rule" in run(base, *arguments).stdout


def test_backup_brings_the_base_back(
    server: Address, base: psycopg.Connection, empty_database: Callable[..., str], tmp_path: Path
) -> None:
    """The way back that docs/guides/moving-in.md describes."""
    before = counts(base)
    assert run(base, "apply", "--backup", tmp_path).returncode == 0
    (dump,) = tmp_path.glob("*.dump")
    assert dump.stat().st_mode & 0o077 == 0
    name = empty_database()
    with closing(psycopg.connect(server.dsn(name, "rubi_admin"), autocommit=True)) as connection:
        connection.execute('CREATE EXTENSION IF NOT EXISTS "uuid-ossp"')
    restore = [server.binaries / "pg_restore"]
    listing = subprocess.check_output([*restore, "--list", dump], text=True)
    entries = tmp_path / "entries"
    entries.write_text(re.sub(r"(?m)^.* SCHEMA - public .*\n", "", listing))
    done = subprocess.run(
        [*restore, "--exit-on-error", "-L", entries, "-d", server.dsn(name, "rubi_admin"), dump],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with closing(psycopg.connect(server.dsn(name))) as back:
        assert counts(back) == before


def test_what_goes_wrong_under_the_lock_changes_nothing(
    server: Address, base: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = deploying.left_in_catalog(server, base.info.dbname), counts(base)
    monkeypatch.setattr(adopting, "prove_all", lambda proofs: False)
    done = run(base, "apply", "--backup", tmp_path)
    assert (done.returncode, "taken back" in done.stderr) == (1, True), done
    done = run(base, "apply", "--backup", tmp_path, "--max-lock", "1")
    assert done.returncode == 1
    assert (deploying.left_in_catalog(server, base.info.dbname), counts(base)) == before


def test_without_a_backup_nothing_is_done(base: psycopg.Connection, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert run(base, "apply").returncode == 2
    assert run(base, "apply", "--backup", tmp_path / "file").returncode == 1
    assert counts(base)["market_data"] == 1401


def test_backup_that_fails_changes_nothing(
    base: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is connected to as --dsn says, and nobody else could read what it wrote."""
    for name in ("pg_dump", "pg_restore"):
        (tmp_path / name).write_text(
            "#!/bin/sh\n"
            'for a; do case $a in --file=*) mode=$(stat -c %a "${a#--file=}");; esac; done\n'
            'echo "pg_dump: error: disk full, $mode, $PGSSLMODE" >&2; exit 1\n'
        )
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(pgtools, "programs_for", lambda major: tmp_path)
    done = run(base, "apply", "--backup", tmp_path / "kept", "--dsn", "sslmode=allow")
    assert (done.returncode, done.stderr) == (
        1, "error: no backup, so nothing was changed: pg_dump failed: disk full, 600, allow\n"
    )  # fmt: skip
    assert not list((tmp_path / "kept").iterdir())
    assert counts(base)["market_data"] == 1401


def test_lock_that_does_not_come_is_given_up(
    server: Address, base: psycopg.Connection, tmp_path: Path
) -> None:
    with closing(psycopg.connect(server.dsn(base.info.dbname))) as other:
        other.execute("SELECT FROM users")
        done = run(base, "apply", "--backup", tmp_path, "--wait", "0.5", "--lock-timeout", "0.3")
    assert (done.returncode, "could not be locked" in done.stderr) == (1, True), done
    assert counts(base)["market_data"] == 1401


def test_objects_of_others_are_named(base: psycopg.Connection, tmp_path: Path) -> None:
    base.execute("CREATE VIEW public.mine AS SELECT id FROM public.users")
    base.execute("CREATE TABLE public.notes (order_id integer REFERENCES public.trading_orders)")
    done = run(base, "apply", "--backup", tmp_path)
    assert done.returncode == 1
    assert "view mine" in done.stderr
    assert "notes_order_id_fkey" in done.stderr


def test_other_databases_are_refused(
    db: psycopg.Connection, empty_database: Callable[..., str], server: Address, tmp_path: Path
) -> None:
    assert "ours already" in run(db, "plan").stderr
    with closing(psycopg.connect(server.dsn(empty_database()))) as connection:
        assert "not the base system" in run(connection, "plan").stderr


@pytest.mark.slow
def test_killed_while_bars_move_it_goes_on(
    server: Address, base: psycopg.Connection, fresh_install: str, tmp_path: Path
) -> None:
    """Killed again and again until it is done: nothing is lost, nothing comes twice."""
    base.execute(
        "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
        " SELECT 'K', 'M1', timestamp '2024-01-01' + n * interval '1 minute', 1, 1, 1, 1"
        " FROM generate_series(1, 60000) AS n"
    )
    before = counts(base)
    seen = 0
    for _ in range(30):
        process = subprocess.Popen(
            [sys.executable, adopt.__file__, "apply", "--backup", tmp_path],
            env=deploying.environment(server, base.info.dbname),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        while process.poll() is None:  # a few batches more each time
            time.sleep(0.02)
            here = base.execute("SELECT to_regclass('migration.progress')").fetchone()[0]
            if here:
                (moved,) = base.execute(
                    "SELECT coalesce(max(moved), 0) FROM migration.progress"
                    " WHERE table_name = 'market_data'"
                ).fetchone()
                if moved > seen + 15_000 and moved < 60_000:
                    seen = moved
                    process.send_signal(signal.SIGKILL)
                    break
        _, err = process.communicate()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, err
    assert seen > 0  # it was killed at least once
    check_adopted(server, base, before, fresh_install)


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


OWN = {
    "a trigger's function": "CREATE TABLE public.notes (id integer, updated_at timestamp);"
    " CREATE TRIGGER n BEFORE UPDATE ON public.notes FOR EACH ROW"
    " EXECUTE FUNCTION public.update_updated_at_column()",
    "a type": "CREATE TABLE public.notes (id integer, s public.signal_type_enum)",
    "a sequence": "CREATE TABLE public.notes"
    " (id integer DEFAULT nextval('public.trading_orders_id_seq'))",
    "a row's type": "CREATE FUNCTION public.notes(public.users) RETURNS text LANGUAGE sql"
    " AS 'SELECT $1.email'",
    "an own trigger": "CREATE FUNCTION public.notes() RETURNS trigger LANGUAGE plpgsql"
    " AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER notes AFTER INSERT ON trading_orders"
    " FOR EACH ROW EXECUTE FUNCTION notes()",
}


@pytest.mark.parametrize("own", OWN.values(), ids=OWN)
def test_what_needs_the_base_stops_it_before_anything_changes(
    base: psycopg.Connection, tmp_path: Path, own: str
) -> None:
    base.execute("SET ROLE rubi_admin")
    base.execute(own)
    base.execute("RESET ROLE")
    before = counts(base)
    done = run(base, "apply", "--backup", tmp_path)
    assert (done.returncode, "drop them first" in done.stderr) == (1, True)
    assert "notes" in done.stderr
    assert base.execute(f"SELECT to_regnamespace('{adopting.SCHEMA}')").fetchone() == (None,)
    assert counts(base) == before


def test_database_with_another_datestyle_is_adopted(
    base: psycopg.Connection, tmp_path: Path
) -> None:
    base.execute(f"ALTER DATABASE {base.info.dbname} SET datestyle = 'SQL, DMY'")
    before = counts(base)
    assert run(base, "apply", "--backup", tmp_path).returncode == 0
    assert counts(base)["market_data"] == before["market_data"] - 1


def while_bars_are_proven(
    server: Address, base: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    """The API's statement, once, after the bars were moved and before they are proven."""
    prove, told = command.prove, []

    def after_the_api(connection, source, move, side=None):
        if move.table == "market_data" and not told:
            told.append(move)
            with psycopg.connect(server.dsn(base.info.dbname), autocommit=True) as api:
                assert api.execute(statement).rowcount == 1
        return prove(connection, source, move, side)

    monkeypatch.setattr(command, "prove", after_the_api)


def test_bar_the_api_changed_meanwhile_can_be_accepted(
    base: psycopg.Connection, server: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    while_bars_are_proven(
        server, base, monkeypatch,
        "UPDATE market_data SET close = high WHERE symbol = 'S1' AND close < high"
        " AND timestamp = (SELECT max(timestamp) FROM market_data"
        " WHERE symbol = 'S1' AND close < high)",
    )  # fmt: skip
    done = run(base, "apply", "--backup", tmp_path)
    assert (done.returncode, "--accept-changes" in done.stderr) == (1, True)
    assert run(base, "apply", "--backup", tmp_path).returncode == 1
    assert run(base, "apply", "--backup", tmp_path, "--accept-changes").returncode == 0
    assert base.execute(f"SELECT to_regnamespace('{adopting.SCHEMA}')").fetchone() == (None,)


def test_batch_of_impossible_rows_is_proven_beside_the_apis(
    base: psycopg.Connection, server: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "ROWS", 10)  # the last batch is one impossible bar
    while_bars_are_proven(
        server, base, monkeypatch,
        "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
        " VALUES ('NEW', 'M1', now(), 1, 1, 1, 1)",
    )  # fmt: skip
    assert run(base, "apply", "--backup", tmp_path).returncode == 0
