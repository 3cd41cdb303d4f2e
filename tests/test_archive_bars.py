"""Retention, archives and exports: nothing is dropped that is not proved to lie elsewhere."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import archive_bars
import backing
import bars
import export_bars
import servers
from rubi import ROOT
from rubi.waiting import until

ALL = (
    "SELECT symbol, timeframe, timestamp, open, high, low, close, volume, real_volume, spread"
    " FROM market_data ORDER BY symbol, timeframe, timestamp"
)


@pytest.fixture(params=["by row", pytest.param("by column", marks=servers.LICENSED)])
def old(db: psycopg.Connection, request: pytest.FixtureRequest) -> psycopg.Connection:
    """Three months of hours that expire, of two series, and a third that is kept."""
    bars.make(db, "2024-01-15", "2024-04-20", "4 hours", "EURUSD", "H4")
    bars.make(db, "2024-02-01", "2024-04-01", "4 hours", "Vol 75 (1s)/x", "H4")
    bars.make(db, "2024-03-05", "2024-03-06", "4 hours", "KEPT", "H4")
    db.execute(
        "INSERT INTO market_retention VALUES ('*', 'H4', '1 year'), ('KEPT', 'H4', '100 years')"
    )
    if request.param == "by column":
        request.getfixturevalue("by_column")()
    return db


def archive(connection: psycopg.Connection, *arguments: object, user: str = "rubi_admin"):
    return bars.script(connection, archive_bars, *arguments, user=user)


def damage(folder: Path, month: str = "2024-02") -> bytes:
    """Change one byte in the middle of a file; answers what the file was."""
    path = folder / f"symbol=EURUSD/timeframe=H4/month={month}/bars.parquet"
    before = path.read_bytes()
    middle = len(before) // 2
    path.write_bytes(before[:middle] + bytes([before[middle] ^ 1]) + before[middle + 1 :])
    return before


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
    target = f"file://{tmp_path}"
    assert archive(old, "write", target, "--symbol", "KEPT", "--timeframe", "H4").returncode == 0
    assert archive(old, "verify", target).returncode == 0
    assert archive(old, "write", "nowhere://x").returncode == 1


def test_export_is_exact_in_all_formats(old: psycopg.Connection, tmp_path: Path) -> None:
    span = ("--from", "2024-02-01", "--to", "2024-03-01")
    for name in ("x.parquet", "x.csv", "x.arrow"):
        done = bars.script(
            old, export_bars, tmp_path / name, "--symbol", "Vol 75 (1s)/x", "--symbol", "EURUSD",
            "--timeframe", "H4", *span,
        )  # fmt: skip
        assert (done.returncode, "bars written" in done.stderr) == (0, True)
    parquet = pq.read_table(tmp_path / "x.parquet")
    with pa.ipc.open_stream(tmp_path / "x.arrow") as stream:
        assert stream.read_all().equals(parquet)
    expected = old.execute(
        ALL.replace("ORDER BY symbol", "WHERE symbol <> 'KEPT' AND timestamp >= '2024-02-01'"
                    " AND timestamp < '2024-03-01' ORDER BY symbol DESC")
    ).fetchall()  # fmt: skip
    assert [tuple(row.values()) for row in parquet.to_pylist()] == expected
    lines = (tmp_path / "x.csv").read_text().splitlines()
    assert len(lines) == len(expected) + 1 and str(expected[0][3]) in lines[1]


def test_files_are_in_utc_whatever_the_environment_says(
    old: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("--symbol", "EURUSD", "--timeframe", "H4", "--from", "2024-02-01")
    exports, archives = [], []
    for zone, style in (("UTC", "ISO"), ("Asia/Kolkata", "German")):
        monkeypatch.setenv("PGTZ", zone)
        monkeypatch.setenv("PGDATESTYLE", style)
        target = tmp_path / style
        old.execute("DELETE FROM market_archives")
        assert archive(old, "write", target, *arguments[:4]).returncode == 0
        assert bars.script(old, export_bars, target / "x.parquet", *arguments).returncode == 0
        exports.append(pq.read_table(target / "x.parquet"))
        archives.append(
            [pq.read_table(path)["timestamp"].to_pylist() for path in sorted(target.rglob("*=*/*"))
             if path.is_file()]
        )  # fmt: skip
    assert exports[0].num_rows and exports[0].equals(exports[1])
    assert archives[0] and archives[0] == archives[1]


def test_export_to_a_closed_output_says_so() -> None:
    done = subprocess.run(
        ["bash", "-c", 'exec "$@" >&-', "-", sys.executable, ROOT / "scripts/export_bars.py", "-",
         "--format", "csv", "--symbol", "EURUSD", "--timeframe", "H4"],
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "error: standard output is closed\n")


def test_export_of_nothing_fails_and_leaves_no_file(
    old: psycopg.Connection, tmp_path: Path
) -> None:
    for name, *arguments in (
        ("x.csv", "--symbol", "NONE", "--timeframe", "H4"),
        ("x.csv", "--symbol", "EURUSD", "--timeframe", "H4", "--from", "2030-01-01"),
    ):
        assert bars.script(old, export_bars, tmp_path / name, *arguments).returncode == 1
    bad = bars.script(old, export_bars, tmp_path / "x.xyz", "--symbol", "A", "--timeframe", "H4")
    assert bad.returncode == 2
    assert list(tmp_path.iterdir()) == []


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


def on_s3(s3: backing.S3, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Path]:
    """A new bucket as archive_bars.py is told of it, and where its server keeps it."""
    for name, value in s3.env.items():
        monkeypatch.setenv(name, value)
    bucket = s3.bucket()
    uri = f"s3://{bucket}/bars?region=x&scheme=http&endpoint_override=127.0.0.1:{s3.port}"
    return uri, s3.folder / bucket / "bars"


def test_bars_archived_to_an_object_store_are_restored_equal(
    old: psycopg.Connection, s3: backing.S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, folder = on_s3(s3, monkeypatch)
    before = old.execute(ALL).fetchall()
    done = archive(old, "write", target, user="rubi_app")
    assert (done.returncode, done.stderr) == (0, "")
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    assert names == {"bars.parquet"}
    done = archive(old, "drop", target)
    assert (done.returncode, done.stderr) == (0, "")
    assert {row[0] for row in old.execute(ALL)} == {"KEPT"}
    for symbol in ("EURUSD", "Vol 75 (1s)/x"):
        done = archive(
            old, "restore", target, "--symbol", symbol, "--timeframe", "H4", user="rubi_app"
        )
        assert (done.returncode, done.stderr) == (0, "")
    assert old.execute(ALL).fetchall() == before


def test_damaged_object_stops_the_drop(
    old: psycopg.Connection, s3: backing.S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, folder = on_s3(s3, monkeypatch)
    assert archive(old, "write", target).returncode == 0
    before = old.execute(ALL).fetchall()
    damage(folder)
    done = archive(old, "drop", target)
    assert done.returncode == 1
    assert "month=2024-02/bars.parquet" in done.stderr and "nothing was dropped" in done.stderr
    assert old.execute(ALL).fetchall() == before


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
