"""Exports of bars are exact in each format, and leave no file when they fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bars
import export_bars
import old_bars
import servers
from old_bars import ALL, archive
from rubi import ROOT


@pytest.fixture(params=["by row", pytest.param("by column", marks=servers.LICENSED)])
def old(db: psycopg.Connection, request: pytest.FixtureRequest) -> psycopg.Connection:
    """Bars that expire, stored by row and by column."""
    old_bars.fill(db)
    if request.param == "by column":
        request.getfixturevalue("by_column")()
    return db


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
    old: psycopg.Connection, tmp_path: Path
) -> None:
    arguments = ("--symbol", "EURUSD", "--timeframe", "H4", "--from", "2024-02-01")
    exports, archives = [], []
    for zone, style in (("UTC", "ISO"), ("Asia/Kolkata", "German")):
        said = {"PGTZ": zone, "PGDATESTYLE": style}
        target = tmp_path / style
        old.execute("DELETE FROM market_archives")
        done = archive(old, "write", target, *arguments[:4], "--from", "2024-02", **said)
        assert done.returncode == 0, done.stderr
        done = bars.script(old, export_bars, target / "x.parquet", *arguments, **said)
        assert done.returncode == 0, done.stderr
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


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("x.csv", ("--symbol", "NONE"), 1),
        ("x.csv", ("--symbol", "EURUSD", "--from", "2030-01-01"), 1),
        ("x.xyz", ("--symbol", "EURUSD"), 2),
    ],
)
def test_export_of_nothing_fails_and_leaves_no_file(
    old: psycopg.Connection, tmp_path: Path, name: str, arguments: tuple[str, ...], code: int
) -> None:
    done = bars.script(old, export_bars, tmp_path / name, "--timeframe", "H4", *arguments)
    assert done.returncode == code
    assert list(tmp_path.iterdir()) == []
