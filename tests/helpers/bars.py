"""Bars and files of bars that the tests of market data build on."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import psycopg

from running import Done, run

HEADER = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
LINES = (
    "2024.01.02\t00:00:00\t1.10400\t1.10420\t1.10390\t1.10410\t41\t0\t7\n",
    "2024.01.02\t00:01:00\t1.10410\t1.10415\t1.10380\t1.10385\t37\t0\t8\n",
    "2024.01.02\t00:02:00\t1.10385\t1.10399\t1.10385\t1.10390\t12\t0\t7\n",
)
NAME = "EURUSD_M1_202401020000_202401020002.csv"


def script(
    connection: psycopg.Connection, module: ModuleType, *arguments: object, user: str = "rubi_app",
    **more: str,
) -> Done:  # fmt: skip
    """Run a script's command line in this process against the database of a connection; more are
    further variables of its environment."""
    info = connection.info
    given = {
        "PGHOST": info.host, "PGPORT": str(info.port), "PGUSER": user, "PGDATABASE": info.dbname
    }  # fmt: skip
    return run(module.__name__, *arguments, env=given | more)


def write(folder: Path, *lines: str, name: str = NAME, header: str = HEADER) -> Path:
    """A file with a header and these lines."""
    path = folder / name
    path.write_text(header + "".join(lines or LINES), newline="")
    return path


def make(
    connection: psycopg.Connection,
    since: str,
    until: str,
    step: str = "1 minute",
    symbol: str = "EURUSD",
    timeframe: str = "M1",
) -> int:
    """Bars that differ from each other, on weekdays; answers how many."""
    return connection.execute(
        "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close, volume,"
        " real_volume, spread)"
        " SELECT %s, %s, t, 1 + n %% 97 * 0.001, 2 + n %% 7 * 0.01, 0.5 + n %% 5 * 0.01,"
        " 1 + n %% 89 * 0.001, n %% 50, n %% 3, n %% 11"
        " FROM (SELECT t, row_number() OVER () AS n"
        " FROM generate_series(%s::timestamptz, %s::timestamptz - interval '1 second',"
        " %s::interval) AS t WHERE date_part('isodow', t) < 6) AS times",
        [symbol, timeframe, since, until, step],
    ).rowcount


def stored(connection: psycopg.Connection) -> list[tuple]:
    """All bars as text, without id."""
    return connection.execute(
        "SELECT symbol, timeframe, timestamp AT TIME ZONE 'UTC', trim_scale(open),"
        " trim_scale(close), volume, real_volume, spread FROM market_data"
        " ORDER BY symbol, timeframe, timestamp"
    ).fetchall()
