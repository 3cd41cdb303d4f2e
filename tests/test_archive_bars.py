"""Retention and archives: nothing is dropped that is not proved to lie elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import psycopg
import pytest

import bars
import old_bars
import servers
from old_bars import ALL, archive, damage
from rubi.waiting import until


@pytest.fixture(params=["by row", pytest.param("by column", marks=servers.LICENSED)])
def old(db: psycopg.Connection, request: pytest.FixtureRequest) -> psycopg.Connection:
    """Bars that expire, stored by row and by column."""
    old_bars.fill(db)
    if request.param == "by column":
        request.getfixturevalue("by_column")()
    return db


def test_archived_dropped_and_restored_bars_are_equal_row_for_row(
    old: psycopg.Connection, tmp_path: Path
) -> None:
    before = old.execute(ALL).fetchall()
    done = archive(old, "write", tmp_path, user="rubi_app")
    assert (done.returncode, done.stderr) == (0, "")
    assert old.execute(ALL).fetchall() == before  # archiving drops nothing
    done = archive(old, "drop", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    left = old.execute(ALL).fetchall()
    assert {row[0] for row in left} == {"KEPT"}
    assert old.execute(
        "SELECT symbol, bars FROM market_data_coverage ORDER BY symbol"
    ).fetchall() == [("EURUSD", 0), ("KEPT", 6), ("Vol 75 (1s)/x", 0)]
    for symbol in ("EURUSD", "Vol 75 (1s)/x"):
        done = archive(
            old, "restore", tmp_path, "--symbol", symbol, "--timeframe", "H4", user="rubi_app"
        )
        assert (done.returncode, done.stderr) == (0, "")
    assert old.execute(ALL).fetchall() == before
    assert old.execute("SELECT count(dropped_at) FROM market_archives").fetchone() == (0,)


def test_whole_expired_chunks_are_dropped(old: psycopg.Connection, tmp_path: Path) -> None:
    old.execute("DELETE FROM market_retention WHERE symbol = 'KEPT'")
    # without the one that stands for all time before 1970
    chunks = (
        "SELECT count(*) FROM show_chunks('market_data', newer_than => timestamptz '1971-01-01')"
    )
    before = old.execute(chunks).fetchone()[0]
    assert before > 2
    archive(old, "write", tmp_path)
    archive(old, "drop", tmp_path)
    assert old.execute(chunks).fetchone() == (0,)


def test_damaged_archive_stops_the_drop(old: psycopg.Connection, tmp_path: Path) -> None:
    archive(old, "write", tmp_path)
    before = old.execute(ALL).fetchall()
    whole = damage(tmp_path)
    done = archive(old, "drop", tmp_path)
    assert done.returncode == 1
    assert "month=2024-02/bars.parquet" in done.stderr and "nothing was dropped" in done.stderr
    assert old.execute(ALL).fetchall() == before
    # without its note the month is not dropped by SQL alone either
    old.execute("CALL drop_expired_bars()")
    kept = old.execute(
        "SELECT count(*) FROM market_data WHERE symbol = 'EURUSD' AND timestamp >= '2024-02-01'"
        " AND timestamp < '2024-03-01'"
    ).fetchone()[0]
    assert kept == sum(row[0] == "EURUSD" and row[2].month == 2 for row in before)
    assert whole != b""


def test_damaged_archive_is_not_restored(old: psycopg.Connection, tmp_path: Path) -> None:
    archive(old, "write", tmp_path)
    archive(old, "drop", tmp_path)
    damage(tmp_path)
    done = archive(old, "verify", tmp_path)
    assert (done.returncode, "5 of 6" in done.stdout or "6 of 7" in done.stdout) == (1, True)
    done = archive(old, "restore", tmp_path, "--symbol", "EURUSD", "--timeframe", "H4")
    assert done.returncode == 1
    assert archive(old, "restore", tmp_path, "--symbol", "X", "--timeframe", "H4").returncode == 1


def test_month_changed_after_archiving_is_kept(old: psycopg.Connection, tmp_path: Path) -> None:
    archive(old, "write", tmp_path)
    old.execute("UPDATE market_data SET volume = volume + 1 WHERE timestamp = '2024-02-05 04:00+00'"
                " AND symbol = 'EURUSD'")  # fmt: skip
    archive(old, "drop", tmp_path)
    months = (
        "SELECT DISTINCT date_part('month', timestamp) FROM market_data WHERE symbol = 'EURUSD'"
    )
    assert old.execute(months).fetchall() == [(2.0,)]


# a time that is kept by column can't be updated: TimescaleDB refuses (0A000)
@pytest.mark.parametrize("old", ["by row"], indirect=True)
def test_bars_whose_times_were_corrected_after_archiving_are_kept(
    old: psycopg.Connection, tmp_path: Path
) -> None:
    """All sums are as they were."""
    archive(old, "write", tmp_path)
    old.execute(
        "UPDATE market_data SET timestamp = timestamp + interval '1 minute' WHERE symbol = 'EURUSD'"
        " AND timestamp >= '2024-02-01' AND timestamp < '2024-03-01'"
    )
    before = old.execute(ALL).fetchall()
    assert archive(old, "drop", tmp_path).returncode == 0
    left = [row for row in before if row[0] == "EURUSD" and row[2].month == 2]
    assert [row for row in old.execute(ALL).fetchall() if row[0] == "EURUSD"] == left


def test_bar_written_while_its_month_is_being_dropped_is_kept(
    old: psycopg.Connection, connect_as: Callable[..., psycopg.Connection], tmp_path: Path
) -> None:
    archive(old, "write", tmp_path)
    feed = connect_as("rubi_app", autocommit=False)
    feed.execute("UPDATE market_data SET close = low WHERE symbol = 'EURUSD'"
                 " AND timestamp = '2024-03-25 04:00+00'")  # fmt: skip
    changed = feed.execute(ALL).fetchall()
    pid = old.execute("SELECT pg_backend_pid()").fetchone()[0]
    with ThreadPoolExecutor(1) as pool:
        dropping = pool.submit(old.execute, "CALL drop_expired_bars()")
        waits = "SELECT FROM pg_locks WHERE pid = %s AND NOT granted"
        watcher = connect_as("rubi_app")
        until(
            "the drop waits for the feed",
            lambda: watcher.execute(waits, [pid]).rowcount or dropping.done(),
            pause=0.01,
        )
        feed.commit()
        dropping.result()
    left = old.execute(ALL).fetchall()
    bar = [row for row in changed if row[0] == "EURUSD" and str(row[2])[:13] == "2024-03-25 04"]
    assert len(bar) == 1 and bar[0] in left


def test_interrupted_drop_goes_on_and_nothing_is_lost(
    old: psycopg.Connection, connect_as: Callable[..., psycopg.Connection], tmp_path: Path
) -> None:
    """The rest of a month does not take the place of its archive."""
    before = old.execute(ALL).fetchall()
    archive(old, "write", tmp_path)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    chunk = old.execute(
        "SELECT tableoid::regclass::text FROM market_data WHERE timestamp = '2024-03-11 04:00+00'"
    ).fetchone()[0]
    writer = connect_as("rubi_app", autocommit=False)
    writer.execute(f"LOCK TABLE {chunk} IN ROW EXCLUSIVE MODE")  # it begins within February
    with pytest.raises(psycopg.errors.LockNotAvailable):
        old.execute("CALL drop_expired_bars(1)")
    writer.rollback()
    rest = old.execute(ALL).fetchall()
    assert 0 < sum(row[0] == "EURUSD" for row in rest) < sum(row[0] == "EURUSD" for row in before)
    for step in ("write", "drop", "write"):
        done = archive(old, step, tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), done
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")} == files
    assert {row[0] for row in old.execute(ALL)} == {"KEPT"}
    assert old.execute("SELECT FROM internal.expired_bars").rowcount == 0
    for symbol in ("EURUSD", "Vol 75 (1s)/x"):
        series = ("--symbol", symbol, "--timeframe", "H4")
        assert archive(old, "restore", tmp_path, *series).returncode == 0
    assert old.execute(ALL).fetchall() == before


@pytest.mark.parametrize("logged", [True, False], ids=["trigger", "columnstore"])
def test_policy_without_archive_drops_at_once(old: psycopg.Connection, logged: bool) -> None:
    if not logged:
        old.execute("DROP TRIGGER IF EXISTS market_data_50_deleted ON market_data")
    old.execute("CALL drop_expired_bars()")
    assert len(old.execute(ALL).fetchall()) > 6  # policies ask for an archive
    old.execute("UPDATE market_retention SET archive = FALSE")
    old.execute("CALL drop_expired_bars()")
    assert {row[0] for row in old.execute(ALL)} == {"KEPT"}
    assert old.execute("SELECT sum(bars) FROM market_data_coverage").fetchone() == (6,)


def test_drop_waits_for_readers_and_gives_up(
    old: psycopg.Connection, connect_as: Callable[..., psycopg.Connection]
) -> None:
    old.execute("UPDATE market_retention SET archive = FALSE")
    reader = connect_as("rubi_app", autocommit=False)
    reader.execute("SELECT count(*) FROM market_data")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        old.execute("CALL drop_expired_bars(1)")
    reader.rollback()
    old.execute("CALL drop_expired_bars(1)")
    assert {row[0] for row in old.execute(ALL)} == {"KEPT"}


def test_archive_gives_duckdb_the_same_monthly_sums(
    old: psycopg.Connection, tmp_path: Path
) -> None:
    query = (
        "SELECT symbol, timeframe, strftime(timestamp AT TIME ZONE 'UTC', '%Y-%m') AS m, count(*),"
        " sum(open), sum(high), sum(low), sum(close), sum(volume), sum(real_volume), sum(spread)"
    )
    archive(old, "write", tmp_path)
    duck = duckdb.connect()
    found = duck.execute(
        f"{query} FROM read_parquet('{tmp_path}/**/*.parquet', hive_partitioning = true)"
        " GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    expected = old.execute(
        query.replace("strftime", "to_char").replace("%Y-%m", "YYYY-MM").replace("%", "%%")
        + " FROM market_data WHERE symbol <> 'KEPT' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    ).fetchall()
    assert [tuple(map(str, row)) for row in found] == [tuple(map(str, row)) for row in expected]


def test_archive_can_be_named_by_uri(old: psycopg.Connection, tmp_path: Path) -> None:
    target = tmp_path.as_uri()
    assert archive(old, "write", target, "--symbol", "KEPT", "--timeframe", "H4").returncode == 0
    assert archive(old, "verify", target).returncode == 0
    assert archive(old, "write", "nowhere://x").returncode == 1


@pytest.mark.parametrize("old", ["by row"], indirect=True)
def test_closed_chunks_are_clustered_once_and_keep_their_rows(old: psycopg.Connection) -> None:
    before = old.execute(ALL).fetchall()
    open_chunk = bars.make(old, "now", "tomorrow", "1 hour", "KEPT", "H1")
    old.execute("CALL cluster_closed_chunks()")
    clustered = (
        "SELECT count(*) FROM pg_index AS i JOIN show_chunks('market_data') AS c"
        " ON i.indrelid = c WHERE i.indisclustered"
    )
    chunks = old.execute("SELECT count(*) FROM show_chunks('market_data')").fetchone()[0]
    assert old.execute(clustered).fetchone()[0] == chunks - (1 if open_chunk else 0)
    assert [row for row in old.execute(ALL) if row[1] == "H4"] == before


def test_late_bars_do_not_replace_the_archive_of_a_dropped_month(
    old: psycopg.Connection, tmp_path: Path
) -> None:
    """They would be all that is left of it. Other months are archived all the same."""
    assert archive(old, "write", tmp_path, "--to", "2024-02").returncode == 0
    assert archive(old, "drop", tmp_path).returncode == 0
    path = tmp_path / "symbol=EURUSD/timeframe=H4/month=2024-02/bars.parquet"
    whole = path.read_bytes()
    bars.make(old, "2024-02-05", "2024-02-06", "1 hour", "EURUSD", "H4")
    for arguments in ((), ("--symbol", "EURUSD", "--timeframe", "H4")):
        done = archive(old, "write", tmp_path, *arguments)
        assert done.returncode == 1
        assert "EURUSD H4 2024-02" in done.stderr and "restore" in done.stderr
        assert path.read_bytes() == whole
    march = "SELECT count(*) FROM market_archives WHERE month = '2024-03-01'"
    assert old.execute(march).fetchone() == (2,)
    # taken away, they can be loaded again after the month was restored
    old.execute("DELETE FROM market_data WHERE symbol = 'EURUSD' AND timestamp < '2024-03-01'")
    series = ("--symbol", "EURUSD", "--timeframe", "H4")
    assert archive(old, "restore", tmp_path, *series).returncode == 0
    bars.make(old, "2024-02-05 01:00+00", "2024-02-05 02:00+00", "1 hour", "EURUSD", "H4")
    assert archive(old, "write", tmp_path).returncode == 0
    assert path.read_bytes() != whole


def test_second_writer_waits_before_it_touches_a_file(
    db: psycopg.Connection, connect_as: Callable[..., psycopg.Connection], tmp_path: Path
) -> None:
    old_bars.fill(db)
    other = connect_as(autocommit=False)
    other.execute("LOCK TABLE market_archives IN SHARE ROW EXCLUSIVE MODE")
    waiting = "SELECT FROM pg_locks WHERE relation = 'market_archives'::regclass AND NOT granted"
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(archive, db, "write", tmp_path)
        until("the writer waits", lambda: db.execute(waiting).rowcount)
        touched = list(tmp_path.rglob("*.parquet*"))
        other.rollback()
        assert done.result(timeout=60).returncode == 0
    assert touched == []


@pytest.mark.parametrize(
    "place", ["elsewhere", "s3://none/bars?endpoint_override=127.0.0.1:9&scheme=http&region=x"]
)
def test_another_place_or_one_that_is_away_damages_no_archive(
    db: psycopg.Connection, tmp_path: Path, place: str
) -> None:
    """A mistyped target, a disk that is not mounted, a store that does not answer."""
    old_bars.fill(db)
    archive(db, "write", tmp_path / "here")
    notes = "SELECT count(*) FROM market_archives"
    before = db.execute(notes).fetchone()
    target = place if "://" in place else tmp_path / place
    done = archive(db, "drop", target, AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x")
    assert done.returncode == 1
    assert "is this their place" in done.stderr or "can't be read now" in done.stderr
    assert db.execute(notes).fetchone() == before
