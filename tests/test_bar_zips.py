"""Zips of bars: members and their rejects stay apart, and what holds no bars is refused."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import psycopg
import pytest

import bars
import load_bars
from made_bars import stored
from rubi.bars import files


def test_members_of_a_zip_are_loaded_and_their_rejects_stay_apart(
    market: psycopg.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "bars.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in ("a", "b"):
            archive.writestr(f"{folder}/EURUSD_M1.csv", bars.HEADER + bars.LINES[0] + folder)
        archive.writestr("readme.txt", "no bars")
    done = bars.script(market, load_bars, path, "--clock", "UTC")
    assert (done.returncode, len(stored(market))) == (1, 1)
    assert "bars.zip/a/EURUSD_M1.csv" in done.stdout and "bars.zip/b/EURUSD_M1.csv" in done.stdout
    assert len(list(tmp_path.glob("bars.zip.*.rejected.tsv"))) == 2


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("A_M1.csv", bars.HEADER.encode() + b"0" * (3 << 20))


def gzip_bomb(path: Path) -> None:
    path.write_bytes(gzip.compress(bars.HEADER.encode() + b"0\n" * (2 << 20), 1))


def nested(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("A_M1.csv", b"PK\3\4" + b"x" * 99)


def cut(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("A_M1.csv", bars.HEADER + "".join(bars.LINES))
    path.write_bytes(path.read_bytes()[:-30])


def workbook(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")


@pytest.mark.parametrize(
    ("make", "said"),
    [(bomb, "unpack it first"), (gzip_bomb, "unpack it first"), (nested, "zip within a zip"),
     (cut, "damaged"), (workbook, "scripts/load_mt5.py")],
    ids=["bomb", "gzip bomb", "nested", "cut", "workbook"],
)  # fmt: skip
def test_archive_that_holds_no_bars_is_refused(
    market: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make, said: str
) -> None:
    monkeypatch.setattr(files, "MOST_UNPACKED", 1 << 20)  # instead of 16 GB
    path = tmp_path / "A_M1.zip"
    make(path)
    done = bars.script(market, load_bars, path, "--clock", "UTC")
    assert (done.returncode, said in done.stderr, stored(market)) == (1, True, []), done
