"""--map: what it says is done, or refused by name before anything is moved."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

import moving
from moving import at


def move_mapped(db: psycopg.Connection, folder: Path, text: str) -> moving.Done:
    """A bar at noon by some clock, moved with a map."""
    bar = moving.truth()["market_data"][0] | {"timestamp": "2024-01-01 12:00:00", "timeframe": 1}
    (folder / "m.toml").write_text('[values]\n"market_data.timeframe" = { 1 = "D1" }\n' + text)
    file = moving.build(folder / "a.db", {"market_data": [bar]})
    return moving.run(db, file, "--map", folder / "m.toml")


@pytest.mark.parametrize(
    "text",
    [
        '[zones.market_data]\ntimestamp = "NY+7"\n',
        '[zones]\n"market_data.timestamp" = "NY+7"\n',
    ],
)
def test_zone_of_a_column_may_be_nested(db: psycopg.Connection, tmp_path: Path, text: str) -> None:
    assert move_mapped(db, tmp_path, text).returncode == 0
    found = moving.stored(db, "market_data", ["timestamp", "timeframe"])
    assert found == [{"timestamp": at("2024-01-01 10:00"), "timeframe": "D1"}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[zones]\n"market_data.time" = "NY+7"\n', "market_data has no column time"),
        ('[zones.bars]\ntime = "NY+7"\n', "zones, bars: of another form"),
        ('[zones]\n"bars.timestamp" = "NY+7"\n', "bars is no table of ours"),
        ('[zones]\ntimestamp = "NY+7"\n', "timestamp is no table of ours"),
        ('[zones]\n"market_data.symbol" = "NY+7"\n', "market_data.symbol is no time"),
        ('[zones]\n"market_data.timestamp" = 7\n', "market_data.timestamp: of another form"),
        ('[columns]\nmarket_data = "x"\n', "columns, market_data: of another form"),
        ('[columns.market_data]\ntime = ["timestamp"]\n', "columns, market_data: of another form"),
        ('[columns.market_data]\nopen = "opening"\n', "market_data has no column opening"),
        ('[columns.market_data]\ntime = "timestamp"\n', "market_data of sqlite:a.db has no time"),
        ('[columns.trading_strategies]\nn = "total_trades"\n', "has no column total_trades"),
        ('[tables]\nbars = "market_data"\n', "sqlite:a.db has no table bars"),
        ('[tables]\nbars = ["market_data"]\n', "tables, bars: of another form"),
        ('"market_data.symbol" = "EURUSD"\n', "values, market_data.symbol: of another form"),
        ('"market_data.symbol" = { a = ["b"] }\n', "values, market_data.symbol: of another form"),
        ('"market_data.simbol" = { a = "b" }\n', "market_data has no column simbol"),
    ],
)
def test_map_that_would_do_nothing_is_refused_by_name(
    db: psycopg.Connection, tmp_path: Path, text: str, said: str
) -> None:
    done = move_mapped(db, tmp_path, text)
    assert (done.returncode, said in done.stderr) == (1, True), done
    assert db.execute("SELECT count(*) FROM migration.progress").fetchone() == (0,)


def test_map_of_many_files_serves_one_csv_file(db: psycopg.Connection, tmp_path: Path) -> None:
    bars = {"bars": moving.truth()["market_data"]}
    (tmp_path / "m.toml").write_text(
        '[tables]\nbars = "market_data"\ndeals = "trading_orders"\n'
        '[columns.trading_orders]\nticket = "mt5_order_id"\n'
    )
    done = moving.run_csv(db, *moving.write_csv(tmp_path, bars), "--map", tmp_path / "m.toml")
    assert done.returncode == 0, done
