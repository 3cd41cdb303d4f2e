"""scripts/migrate_csv.py: the same rules, rejects and proof for CSV files."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

import moving
import rows


@pytest.mark.parametrize(
    ("delimiter", "encoding"), [(",", "utf-8"), (";", "utf-8-sig"), ("\t", "utf-16")]
)
def test_all_tables_come_in_from_csv(
    db: psycopg.Connection, tmp_path: Path, delimiter: str, encoding: str
) -> None:
    done = moving.run_csv(db, *moving.write_csv(tmp_path, moving.truth(), delimiter, encoding))
    assert done.returncode == 0, done
    assert "DIFFERS" not in done.stdout
    moving.same(db, moving.truth())


def test_bad_lines_are_rejected_by_rule_and_record(db: psycopg.Connection, tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    file.write_text(
        "symbol,timeframe,timestamp,open,high,low,close\n"
        "X,h1,2025-01-01 00:00,1.10,1.2,1.0,1.1\n\n"
        "X,H1,2025-01-01 01:00,1.1,1.2,1.0\n"
        "X,H1,2025-01-01 02:00,1.1,0.2,1.0,1.1\n"
        "X,H1,2025-01-01 03:00,1.1,1.2,1.0,1.1,9\n"
        '"X",H1,2025-01-01 04:00,1.1,1.2,1.0,1.1\n'
    )
    done = moving.run_csv(db, file, "--table", "market_data")
    assert done.returncode == 1
    assert moving.rejects(db) == {
        ("market_data", 2): "market_data_line_has_its_fields",
        ("market_data", 3): "market_data_high_is_highest_check",
        ("market_data", 4): "market_data_line_has_its_fields",
    }
    assert db.execute("SELECT count(*) FROM market_data").fetchone()[0] == 2
    assert "DIFFERS" not in done.stdout
    assert (tmp_path / "bars.csv.rejected.jsonl").exists()
    again = moving.run_csv(db, file, "--table", "market_data")
    assert "0 moved, 2 there already, 3 REJECTED" in again.stdout


def test_rows_without_an_id_do_not_come_twice(db: psycopg.Connection, tmp_path: Path) -> None:
    tables = {t: moving.truth()[t] for t in ("users", "trading_signals")}
    for row in tables["trading_signals"]:
        del row["id"], row["strategy_id"]
    files = moving.write_csv(tmp_path, tables)
    for _ in range(2):
        assert moving.run_csv(db, *files).returncode == 0
    assert db.execute("SELECT count(*) FROM trading_signals").fetchone()[0] == 2


def test_rows_without_an_id_come_beside_others_and_are_proven(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    """They get ids here, by which the proof and a later run know them."""
    first, second = rows.user(db), rows.user(db)
    rows.signal(db, first)
    file = tmp_path / "trading_signals.csv"
    head = "user_id,symbol,signal_type,volume,signal_time"
    lines = [f"{second},{name},BUY,0.1,2025-01-01 10:00" for name in "XYZQ"]
    bad = lines[1].replace("0.1", "little")
    file.write_text("\n".join([head, lines[0], bad, lines[2]]))
    done = moving.run_csv(db, file)
    assert moving.rejects(db) == {("trading_signals", 2): "trading_signals_volume_is_number"}
    assert (done.returncode, "DIFFERS" in done.stdout) == (1, False), done
    rows.signal(db, first)  # the platform goes on
    file.write_text("\n".join([head, *lines]))
    done = moving.run_csv(db, file)
    assert (done.returncode, "DIFFERS" in done.stdout) == (0, False), done
    assert "2 moved, 2 there already" in done.stdout
    found = db.execute(
        "SELECT user_id, string_agg(symbol, ' ' ORDER BY symbol), count(DISTINCT id)"
        " FROM trading_signals GROUP BY user_id ORDER BY user_id"
    ).fetchall()
    assert [(u, n) for u, _, n in found] == [(first, 2), (second, 4)]
    assert found[1][1] == "Q X Y Z"
    rows.signal(db, second)  # and finds free ids


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [("users.csv", "", "is empty"), ("users.csv", "a,a\n", "two have the same"),
     ("things.csv", "id\n1\n", "no table of ours")],
)  # fmt: skip
def test_file_that_can_not_be_read_is_named(
    db: psycopg.Connection, tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_text(text)
    done = moving.run_csv(db, tmp_path / name)
    assert (done.returncode, said in done.stderr) == (1, True), done
