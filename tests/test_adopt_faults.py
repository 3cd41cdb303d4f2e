"""adopt.py apply stopped: by a fault, a lock, objects of others, or a change meanwhile."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

import adopt
import deploying
from bases import (
    base,
    check_adopted,
    counts,
    run,
)
from conftest import Address
from rubi.cli import Failure
from rubi.deploying import locks
from rubi.moving import adopting, command, sources
from rubi.servers import pgtools

__all__ = ["base"]  # a fixture


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
    """pg_dump connects as --dsn says, and nobody else could read what the backup holds."""
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


@pytest.mark.slow
def test_lock_is_tried_for_as_long_as_wait_says(
    server: Address, base: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try is a millisecond here: a thousand of them are over before the time is."""
    monkeypatch.setattr(locks, "PAUSES", (0,))
    with closing(psycopg.connect(server.dsn(base.info.dbname))) as other:
        other.execute("SELECT FROM users")
        with pytest.raises(Failure, match="could not be locked"), adopting.locked(base, 20, 0.001):
            raise AssertionError("no lock, and the work goes on")


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
    assert seen > 0  # killed at least once
    check_adopted(server, base, before, fresh_install)


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
