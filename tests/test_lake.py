"""The lake answers as the hypertable does, or says why not; it never answers in part."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import psycopg
import pyarrow.parquet as pq
import pytest

import archive_bars
import bars
import lake
import lake_rows
import object_store
from rubi.bars.archive import Store
from rubi.cli import Failure
from rubi.lake import asking


@pytest.fixture
def filled(db: psycopg.Connection, tmp_path: Path) -> psycopg.Connection:
    """The hypertable and a lake in tmp_path with the same bars."""
    lake_rows.fill(db, tmp_path)
    return db


def duck(connection: psycopg.Connection, target: object, question: str, *chosen: str):
    return asking.ask_duckdb(
        Store(str(target)), lake_rows.files(connection), question, lake_rows.values(*chosen)
    )


def test_duckdb_answers_from_the_lake_as_postgresql_from_the_hypertable(
    filled: psycopg.Connection, tmp_path: Path
) -> None:
    for question, to, clock in lake_rows.QUESTIONS:
        table = duck(filled, tmp_path, question, to, clock)
        ours = asking.ask_postgresql(filled, question, lake_rows.values(to, clock))
        assert table.num_rows > 0, question
        assert table.equals(ours), (question, to, clock)


@pytest.mark.parametrize(
    ("to", "clock"), [("H1", "UTC"), ("H4", "UTC"), ("D1", lake_rows.CLOCK), ("W1", "UTC")]
)
def test_the_shared_text_makes_the_bars_that_resample_bars_makes(
    filled: psycopg.Connection, to: str, clock: str
) -> None:
    found = asking.ask_postgresql(filled, "resample", lake_rows.values(to, clock))
    shown = "timestamp" if to == "H1" else "utc_to_clock(timestamp, %(clock)s)"
    expected = filled.execute(
        f"SELECT s.symbol, extract(epoch FROM {shown})::bigint, open, high, low, close, volume,"
        " real_volume, spread, bars::bigint FROM unnest(%(symbols)s::text[]) AS s (symbol)"
        " CROSS JOIN resample_bars(s.symbol, 'M5', %(to)s, %(since)s, %(until)s, %(clock)s)"
        ' ORDER BY s.symbol COLLATE "C", 2',
        {"symbols": lake_rows.SYMBOLS, "to": to, "clock": clock,
         "since": datetime(2024, 2, 1, tzinfo=UTC), "until": lake_rows.UNTIL},
    ).fetchall()  # fmt: skip
    assert [tuple(row.values()) for row in found.to_pylist()] == expected


def test_gaps_tell_the_hole_from_the_weekend(filled: psycopg.Connection, tmp_path: Path) -> None:
    found = duck(filled, tmp_path, "gaps", "D1", lake_rows.CLOCK).to_pylist()
    hole = [row for row in found if row["symbol"] == "EURUSD" and not row["over_weekend"]]
    assert [(row["gap_to"] - row["gap_from"], row["seconds"]) for row in hole] == [(7500, 7500)]
    assert sum(row["over_weekend"] for row in found) == 4 * 3


def test_a_view_says_where_a_series_lies(filled: psycopg.Connection, tmp_path: Path) -> None:
    bars.make(filled, "2024-03-05", "2024-03-06", "4 hours", "NEW", "H4")
    filled.execute("SELECT fold_bar_changes()")
    query = (
        "SELECT symbol, place, months_in_both, months_in_lake_only, bars_in_hypertable > 0,"
        ' bars_in_lake_only > 0 FROM market_series_places ORDER BY symbol COLLATE "C"'
    )
    assert filled.execute(query).fetchall() == [
        ("EURUSD", "both", 2, 0, True, False),
        ("NEW", "hypertable", 0, 0, True, False),
        ("Vol 75 (1s)/x", "both", 2, 0, True, False),
        ("ÆØÅ", "both", 2, 0, True, False),
    ]
    filled.execute("INSERT INTO market_retention VALUES ('EURUSD', 'M5', '1 year')")
    assert bars.script(
        filled, archive_bars, "drop", tmp_path, user="rubi_admin"
    ).returncode == 0  # fmt: skip
    assert filled.execute(query).fetchone() == ("EURUSD", "lake", 0, 2, False, True)
    ends = filled.execute(
        "SELECT lake_first_month::text, lake_last_month::text, first_timestamp, bars_in_lake"
        " FROM market_series_places WHERE symbol = 'EURUSD'"
    ).fetchone()
    total = sum(file.bars for file in lake_rows.files(filled) if file.symbol == "EURUSD")
    assert ends == ("2024-02-01", "2024-03-01", None, total)
    # and what was dropped is answered from the lake as before
    assert duck(filled, tmp_path, "coverage", "D1", "UTC").num_rows == 3


def test_a_month_that_is_not_in_the_lake_is_no_part_of_an_answer(
    filled: psycopg.Connection,
) -> None:
    bars.make(filled, "2024-04-02", "2024-04-03", "5 minutes", "EURUSD", "M5")
    assert len(lake_rows.files(filled)) == 6  # April was not asked for
    with pytest.raises(psycopg.Error) as caught:
        asking.files_of(filled, "M5", lake_rows.SINCE, datetime(2024, 5, 1, tzinfo=UTC), None)
    assert caught.value.sqlstate == "RB130"
    assert "EURUSD 2024-04" in caught.value.diag.message_primary
    with pytest.raises(psycopg.Error) as caught:
        asking.files_of(filled, "M5", lake_rows.SINCE, lake_rows.UNTIL, ["NONE"])
    assert caught.value.sqlstate == "RB131"


def test_a_lost_or_damaged_file_is_named_and_nothing_is_answered(
    filled: psycopg.Connection, tmp_path: Path
) -> None:
    file = lake_rows.path(tmp_path)
    whole = file.read_bytes()
    lake_rows.damage(file)
    with pytest.raises(Failure, match=r"symbol=EURUSD.*2024-03.*damaged"):
        duck(filled, tmp_path, "coverage", "D1", "UTC")
    file.write_bytes(whole[:-100])
    with pytest.raises(Failure, match=r"symbol=EURUSD.*2024-03.*damaged"):
        duck(filled, tmp_path, "coverage", "D1", "UTC")
    file.unlink()
    with pytest.raises(Failure, match=r"symbol=EURUSD.*2024-03.*missing"):
        duck(filled, tmp_path, "coverage", "D1", "UTC")
    file.write_bytes(whole)
    assert duck(filled, tmp_path, "coverage", "D1", "UTC").num_rows == 3


def test_a_file_that_changes_while_it_is_read_is_named(
    filled: psycopg.Connection, tmp_path: Path
) -> None:
    proved = asking.fingerprints

    def then_changed(*arguments: object) -> list[tuple]:
        found = proved(*arguments)
        table = pq.read_table(lake_rows.path(tmp_path))
        pq.write_table(table.slice(1), lake_rows.path(tmp_path))
        return found

    with (
        mock.patch.object(asking, "fingerprints", then_changed),
        pytest.raises(Failure, match=r"symbol=EURUSD.*changed while"),
    ):
        duck(filled, tmp_path, "coverage", "D1", "UTC")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object_store.Store]:
    """An object store for this file."""
    with (
        object_store.running(tmp_path_factory.mktemp("weed")) as running,
        mock.patch.dict(os.environ, running.environment),
    ):
        yield running


def test_the_lake_on_an_object_store_answers_or_its_error_is_named(
    db: psycopg.Connection, store: object_store.Store
) -> None:
    lake_rows.fill(db, store.uri("bars"))
    expected = asking.ask_postgresql(db, "resample", lake_rows.values("H1"))
    with object_store.door(store.port) as door:
        target = store.uri("bars", door.server_port)
        assert duck(db, target, "resample", "H1").equals(expected)
        door.good_answers = 3  # it fails in the middle
        done = bars.script(
            db, lake, "resample", "--target", target, "--timeframe", "M5", "--to", "H1"
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert (
            done.stderr.startswith("error: symbol=")
            and store.environment["AWS_SECRET_ACCESS_KEY"] not in done.stderr
        )


GIVEN = ("--symbol", "EURUSD", "--timeframe", "M5")


@pytest.mark.parametrize("engine", ["duckdb", "postgresql"])
def test_the_command_line_writes_what_was_asked(
    filled: psycopg.Connection, tmp_path: Path, engine: str
) -> None:
    out = tmp_path / "h4.parquet"
    done = bars.script(
        filled, lake, "resample", "--engine", engine, "--target", tmp_path,
        "--until", "2024-04-01", *GIVEN, "--to", "H4", "--output", out, user="rubi_readonly",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert pq.read_table(out).column("symbol").unique().to_pylist() == ["EURUSD"]


@pytest.mark.parametrize(
    "wrong", [("--to", "M1"), ("--to", "MN1"), ("--timeframe", "H4", "--to", "D1")]
)
def test_bars_that_can_not_be_made_are_refused(
    filled: psycopg.Connection, tmp_path: Path, wrong: tuple[str, ...]
) -> None:
    done = bars.script(filled, lake, "resample", "--target", tmp_path, *GIVEN, *wrong)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def test_a_lake_without_a_place_is_wrong_usage(filled: psycopg.Connection) -> None:
    assert bars.script(filled, lake, "gaps").returncode == 2


def test_the_hypertable_reads_as_before_when_the_lake_holds_ten_times_as_much(
    filled: psycopg.Connection,
) -> None:
    query = (
        "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF, COSTS OFF, FORMAT JSON)"
        " SELECT count(*), sum(close) FROM market_data WHERE symbol = 'EURUSD' AND timeframe = 'M5'"
        " AND timestamp >= '2024-03-11' AND timestamp < '2024-03-18'"
    )

    def reads() -> tuple[int, int]:
        filled.execute(query)  # the second time everything is in memory
        plan = filled.execute(query).fetchone()[0][0]["Plan"]
        size = filled.execute("SELECT hypertable_size('market_data')").fetchone()[0]
        return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], size

    filled.execute("VACUUM ANALYZE market_data")
    before = reads()
    here = filled.execute("SELECT count(*) FROM market_data").fetchone()[0]
    noted = filled.execute(
        "INSERT INTO market_archives (symbol, timeframe, month, location, sha256, bars, price_sum,"
        " volume_sum, dropped_at) SELECT symbol, timeframe, month - n * interval '1 year',"
        " location || n, sha256, bars, price_sum, volume_sum, now()"
        " FROM market_archives, generate_series(1, 9) AS n RETURNING bars"
    ).fetchall()
    assert sum(row[0] for row in noted) == 9 * here
    assert reads() == before
