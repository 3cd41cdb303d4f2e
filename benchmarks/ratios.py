"""Ratios with their intervals by the database and by scipy, in one run, in processor time.

Prints a row for each number of trades, of one year of days. Fills a database of its own on the
demo's server and drops it afterwards; needs the extras demo and references.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import psycopg
import typer
from scipy import stats

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scripts")]

from performance import DATABASE, END, START, database, fill
from rubi.cli import console, new_app, run, step

app = new_app(__doc__)
app.info.no_args_is_help = False


def spent(process: int) -> float:
    """Processor seconds of a process on this machine so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def by_database(connection: psycopg.Connection, strategy: int) -> float:
    """Seconds of all ratios of a strategy."""
    before = spent(connection.info.backend_pid)
    connection.execute(
        "SELECT r.* FROM trading_strategies AS s"
        " CROSS JOIN LATERAL calculate_ratios(s.user_id, s.id, %s, %s) AS r WHERE s.id = %s",
        [START, END, strategy],
    ).fetchall()
    return spent(connection.info.backend_pid) - before


def by_scipy(connection: psycopg.Connection, strategy: int) -> float:
    """Seconds of the two bootstraps of its trades alone."""
    nets = np.array(connection.execute(
        "SELECT (profit + commission + swap)::float8 FROM trading_orders WHERE strategy_id = %s",
        [strategy],
    ).fetchall())[:, 0]  # fmt: skip
    before = time.process_time()
    for statistic in (np.mean, lambda x, axis: (x > 0).mean(axis=axis)):
        stats.bootstrap((nets,), statistic, n_resamples=2000, method="percentile", batch=200)
    return time.process_time() - before


@app.command()
def main(
    trades: Annotated[list[int] | None, typer.Option(help="Trades of a strategy")] = None,
) -> None:
    """Measure; a number of trades a row."""
    with database() as server, psycopg.connect(
        server.dsn("postgres", DATABASE), autocommit=True
    ) as connection:  # fmt: skip
        for count in trades or [100, 1000, 3000, 10000]:
            with step(f"{count} trades"):
                strategy, _ = fill(connection, 1, count)
                by_database(connection, strategy)  # plans
                ours = by_database(connection, strategy)
                scipys = by_scipy(connection, strategy)
            console.print(f"{count} trades: all ratios {ours:.2f} s, two of scipy {scipys:.2f} s")


if __name__ == "__main__":
    run(app)
