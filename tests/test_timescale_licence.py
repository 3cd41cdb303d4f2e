"""Additions of the Timescale licence, with which all other rules still hold."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

import bars
import conftest
import deploying
import servers
from conftest import Address
from rubi.deploying import installing

pytestmark = servers.LICENSED
Connect = Callable[..., psycopg.Connection]
FEATURES = ("columnstore", "retention", "aggregates")
JOBS = (  # old versions name the table behind the aggregate
    "SELECT job_id, proc_name, regexp_replace(hypertable_name::text,"
    " '^_materialized_hypertable_.*', 'market_data_h1'), coalesce(config ->> 'compress_after',"
    " config ->> 'drop_after') FROM timescaledb_information.jobs WHERE job_id >= 1000 ORDER BY 2, 3"
)
MANY = 110_000  # more than TimescaleDB makes rows of in a statement unless it is told to


@pytest.fixture
def admin(db: psycopg.Connection, connect_as: Connect, by_column: object) -> psycopg.Connection:
    """The administrator, who may enable the policies."""
    return connect_as("rubi_admin")


def enable(admin: psycopg.Connection, *arguments: str) -> dict[str, tuple[bool, str]]:
    """Call enable_timescale_policies(); what it says of each feature."""
    given = ", ".join(["%s"] * len(arguments))
    said = admin.execute(
        f"SELECT feature, done, note FROM enable_timescale_policies({given})", arguments
    ).fetchall()
    return {feature: (done, note) for feature, done, note in said}


def test_the_aggregate_has_the_bars_that_resampling_makes(
    db: psycopg.Connection, admin: psycopg.Connection
) -> None:
    bars.make(db, "2024-01-02 00:00+00", "2024-01-03 00:00+00")
    said = enable(admin, "60 days")
    assert [(feature, done) for feature, (done, _) in said.items()] == [(f, True) for f in FEATURES]
    columns = "timestamp, open, high, low, close, volume, real_volume, spread, bars"
    served = db.execute(f"SELECT {columns} FROM market_data_h1 ORDER BY 1").fetchall()
    made = db.execute(
        f"SELECT {columns} FROM resample_bars('EURUSD', 'M1', 'H1', '2024-01-01', '2024-02-01')"
    ).fetchall()
    assert served == made
    assert len(made) == 24


def test_the_aggregate_and_the_jobs_belong_to_the_owner_of_the_tables(
    db: psycopg.Connection, admin: psycopg.Connection
) -> None:
    enable(admin, "60 days")
    assert db.execute(
        "SELECT DISTINCT owner::text FROM timescaledb_information.jobs WHERE job_id >= 1000"
        " UNION SELECT view_owner::text FROM timescaledb_information.continuous_aggregates"
    ).fetchall() == [("rubi_owner",)]


@pytest.mark.parametrize("role", ["rubi_app", "rubi_readonly", "rubi_backup"])
def test_the_aggregate_is_read_and_not_written(
    db: psycopg.Connection, admin: psycopg.Connection, connect_as: Connect, role: str
) -> None:
    bars.make(db, "2024-01-02 00:00+00", "2024-01-02 02:00+00")
    enable(admin)
    admin.execute("CALL run_timescale_policies()")
    reader = connect_as(role)
    assert reader.execute("SELECT sum(bars) FROM market_data_h1").fetchone() == (120,)
    assert reader.execute(
        "SELECT has_table_privilege('market_data_h1', 'INSERT, UPDATE, DELETE, TRUNCATE')"
    ).fetchone() == (False,)


@pytest.mark.parametrize(("second", "said"), [("60 days", "as before"), ("30 days", "was 60 days")])
def test_called_again_it_sets_what_it_is_told_and_says_so(
    admin: psycopg.Connection, second: str, said: str
) -> None:
    enable(admin, "60 days")
    ids = {job[1:3]: job[0] for job in admin.execute(JOBS)}
    notes = enable(admin, second)
    wanted = [("policy_compression", table, second) for table in ("market_data", "market_ticks")]
    wanted += [("policy_refresh_continuous_aggregate", "market_data_h1", None)]
    found = admin.execute(JOBS).fetchall()
    assert [job[1:] for job in found] == wanted
    assert all(ids.get(job[1:3], job[0]) == job[0] for job in found)  # changed, not made again
    assert said in notes["columnstore"][1]
    assert admin.execute("SELECT job_id FROM monitoring.policy_runs ORDER BY 1").fetchall() == [
        (job[0],) for job in sorted(found)
    ]


def test_retention_without_a_copy_is_told_and_removed(
    db: psycopg.Connection, admin: psycopg.Connection, connect_as: Connect
) -> None:
    check = "SELECT status, detail FROM monitoring.health WHERE name = 'lifecycle'"
    monitor = connect_as("rubi_monitor")
    admin.execute("SELECT add_retention_policy('market_ticks', interval '1 year')")
    db.execute("UPDATE monitoring.lifecycle SET began_at = now() - interval '20 days'")
    status, detail = monitor.execute(check).fetchone()
    assert status == "critical"
    assert "public.market_ticks" in detail and "remove_retention_policy" in detail
    done, note = enable(admin)["retention"]
    assert done and "after 1 year" in note
    assert "policy_retention" not in [job[1] for job in admin.execute(JOBS)]
    assert monitor.execute(check).fetchone()[0] == "ok"


def test_chunks_with_columnstore_are_not_clustered(
    db: psycopg.Connection, admin: psycopg.Connection
) -> None:
    bars.make(db, "2024-01-01", "2024-02-01", "1 hour")
    enable(admin)
    admin.execute("CALL cluster_closed_chunks()")
    assert not db.execute(
        "SELECT FROM pg_index AS i JOIN show_chunks('market_data') AS c ON i.indrelid = c"
        " WHERE i.indisclustered"
    ).rowcount


def test_policies_are_no_drift_and_their_loss_is(
    server: Address, db: psycopg.Connection, empty_database: Callable[..., str]
) -> None:
    """Of a database whose hypertables have other numbers than those of the one compared with."""
    name = empty_database()
    with psycopg.connect(server.dsn(name), autocommit=True) as connection:
        connection.execute("CREATE TABLE t (t timestamptz NOT NULL)")
        connection.execute("SELECT create_hypertable('t', 't')")
        connection.execute("DROP TABLE t")
        deploying.run(server, name, "apply")
        connection.execute("ALTER ROLE rubi_owner LOGIN")
        try:
            connection.execute("SELECT FROM enable_timescale_policies('30 days')")
            drift = ("drift", "--scratch", empty_database())
            assert "no drift" in deploying.run(server, name, *drift).stdout
            connection.execute("DROP MATERIALIZED VIEW market_data_h1")
            connection.execute("SELECT remove_compression_policy('market_ticks')")
            said = deploying.run(server, name, *drift, code=4).stdout
        finally:
            connection.execute("ALTER ROLE rubi_owner NOLOGIN")
    assert "view public.market_data_h1: made by the files, but not here" in said
    assert "job _timescaledb_functions.policy_compression" in said


def test_the_checklist_of_an_installation_holds(
    db: psycopg.Connection, admin: psycopg.Connection, by_column: Callable[[], None]
) -> None:
    by_column()
    admin.execute("CALL monitoring.make_chunks_ahead()")
    admin.execute("CALL run_timescale_policies()")
    admin.execute("SELECT monitoring.take_readings()")
    # other figures of health are of the whole server, on which other tests work too
    names = "'chunk_count', 'chunk_memory', 'chunks_ahead', 'policies', 'proofs'"
    assert admin.execute(
        f"SELECT DISTINCT status FROM monitoring.health WHERE name IN ({names})"
    ).fetchall() == [("ok",)]
    lines = installing.checklist(admin, admin.info.dsn, None)
    assert [line for line in lines if line.ok is False and line.name != "monitoring"] == []


def test_triggers_are_the_same_when_their_file_runs_again(
    db: psycopg.Connection, admin: psycopg.Connection, by_column: Callable[[], None]
) -> None:
    by_column()
    asked = (
        "SELECT tgname, tgoldtable FROM pg_trigger WHERE tgrelid = 'market_data'::regclass"
        " AND tgname ~ '_50_' ORDER BY 1"
    )
    before = db.execute(asked).fetchall()
    admin.execute((conftest.ROOT / "triggers/4200_market_data.sql").read_text())
    assert db.execute(asked).fetchall() == before
    assert {"market_data_50_inserted", "market_data_50_updated"} <= {name for name, _ in before}
    assert ("market_data_50_deleted", "old_rows") not in before  # columnstore refuses it


def test_chunks_made_ahead_leave_no_series(
    db: psycopg.Connection, admin: psycopg.Connection, by_column: Callable[[], None]
) -> None:
    by_column()
    chunks = (
        "SELECT count(*) FROM show_chunks('market_data', newer_than => now() - interval '1 year')"
    )
    assert db.execute(chunks).fetchone() == (0,)
    admin.execute("CALL monitoring.make_chunks_ahead(2)")
    assert db.execute(chunks).fetchone() == (3,)
    assert db.execute("SELECT symbol FROM market_data_coverage").fetchall() == []
    admin.execute("SELECT fold_bar_changes()")
    assert db.execute("SELECT symbol FROM market_series").fetchall() == []


def test_sizes_hold_what_is_kept_by_column(
    db: psycopg.Connection, connect_as: Connect, by_column: Callable[[], None]
) -> None:
    bars.make(db, "2024-01-01", "2024-03-01")
    before = db.execute("SELECT hypertable_size('market_data')").fetchone()[0]
    by_column()
    db.execute("CALL run_timescale_policies()")
    monitor = connect_as("rubi_monitor")
    sizes = (
        "SELECT table_name::text, s.total_bytes FROM monitoring.table_sizes AS s"
        " JOIN monitoring.stored_hypertables AS h USING (table_schema, table_name)"
    )
    said = dict(monitor.execute(sizes).fetchall())
    stored = db.execute(
        "SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class AS c"
        " WHERE c.relkind = 'r' AND (c.relnamespace = '_timescaledb_internal'::regnamespace"
        " AND c.relname ~ 'hyper' OR c.oid IN (SELECT relation FROM monitoring.stored_hypertables))"
    ).fetchone()[0]
    # the two tables that columnstore's chunks are made after are nobody's
    assert stored - 100_000 < sum(said.values()) <= stored
    assert 0 < said["market_data"] < before / 5
    (chunks,) = monitor.execute(
        "SELECT sum(total_bytes) FROM monitoring.chunk_sizes WHERE table_name = 'market_data'"
    ).fetchone()
    assert said["market_data"] - 100_000 < chunks <= said["market_data"]


def test_more_is_updated_by_a_load_than_a_statement_usually_may(
    db: psycopg.Connection, app: psycopg.Connection, by_column: Callable[[], None]
) -> None:
    """Each bar of a file that is loaded again with other prices."""
    app.execute("SELECT open_market_series('EURUSD', 'M1')")
    made = bars.make(app, "2024-01-01", "2024-04-20")
    assert made > MANY
    by_column()
    for conflict, counts in (("skip", (0, 0, made)), ("update", (0, made, 0))):
        with app.transaction():
            app.execute("SELECT stage_bars()")
            app.execute(
                "INSERT INTO pg_temp.staged_bars (moment, open, high, low, close)"
                " SELECT timestamp, 3, 3, 3, 3 FROM market_data"
            )
            assert counts == app.execute(
                "SELECT inserted, updated, unchanged"
                " FROM merge_staged_bars('EURUSD', 'M1', NULL, NULL, %s)", [conflict]
            ).fetchone()  # fmt: skip
    assert app.execute("SELECT sum(close) FROM market_data").fetchone() == (3 * made,)
    app.execute("SELECT fold_bar_changes()")
    assert app.execute("SELECT bars FROM market_data_coverage").fetchone() == (made,)


@pytest.mark.parametrize(
    ("conflict", "counts"), [("skip", (0, 0, MANY)), ("update", (0, MANY, 0))], ids=lambda v: str(v)
)
def test_as_many_ticks_are_loaded_again(
    app: psycopg.Connection, by_column: Callable[[], None], conflict: str, counts: tuple[int, ...]
) -> None:
    app.execute("SELECT open_market_series('EURUSD', 'TICK')")
    app.execute(
        "INSERT INTO market_ticks (symbol, timestamp, bid, volume_real)"
        " SELECT 'EURUSD', timestamptz '2024-01-02 00:00+00' + n * interval '100 ms', 1, 0"
        f" FROM generate_series(1, {MANY}) AS n"
    )
    by_column()
    with app.transaction():
        app.execute("SELECT stage_ticks()")
        app.execute(
            "INSERT INTO pg_temp.staged_ticks (day, time_of_day, bid)"
            " SELECT (timestamp AT TIME ZONE 'UTC')::date, (timestamp AT TIME ZONE 'UTC')::time, 2"
            " FROM market_ticks ORDER BY timestamp"
        )
        assert counts == app.execute(
            "SELECT inserted, updated, unchanged FROM merge_staged_ticks("
            "'EURUSD', NULL, NULL, %s)", [conflict]
        ).fetchone()  # fmt: skip


def test_as_many_bars_of_a_feed_are_taken(
    app: psycopg.Connection, by_column: Callable[[], None]
) -> None:
    made = bars.make(app, "2024-01-01", "2024-04-20")
    by_column()
    assert app.execute(
        "SELECT inserted, updated FROM ingest_bars('EURUSD', 'M1', (SELECT jsonb_agg("
        "jsonb_build_array(extract(epoch FROM timestamp)::bigint, 3, 3, 3, 3, 1, 1, 1))"
        " FROM market_data))"
    ).fetchone() == (0, made)


def test_as_many_expired_bars_leave_a_chunk_that_stays(
    db: psycopg.Connection, admin: psycopg.Connection, by_column: Callable[[], None]
) -> None:
    """Of eleven series one is kept, in the same chunks."""
    for number in range(10):
        bars.make(db, "2024-01-03", "2024-01-14", symbol=f"OLD{number}")
    kept = bars.make(db, "2024-01-03", "2024-01-14", symbol="KEPT")
    assert 10 * kept > MANY
    db.execute(
        "INSERT INTO market_retention (symbol, timeframe, keep_for, archive)"
        " VALUES ('*', 'M1', '1 year', FALSE), ('KEPT', 'M1', '100 years', TRUE)"
    )
    by_column()
    admin.execute("CALL drop_expired_bars()")
    assert db.execute("SELECT symbol, count(*) FROM market_data GROUP BY 1").fetchall() == [
        ("KEPT", kept)
    ]
    assert db.execute(
        "SELECT symbol, bars FROM market_data_coverage WHERE bars <> 0"
    ).fetchall() == [("KEPT", kept)]
