"""The archive of bars in an object store."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

import backing
import old_bars
import servers
from old_bars import ALL, archive, damage


@pytest.fixture(params=["by row", pytest.param("by column", marks=servers.LICENSED)])
def old(db: psycopg.Connection, request: pytest.FixtureRequest) -> psycopg.Connection:
    """Bars that expire, stored by row and by column."""
    old_bars.fill(db)
    if request.param == "by column":
        request.getfixturevalue("by_column")()
    return db


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
