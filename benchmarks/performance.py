"""Trading results by the database against pandas and empyrical, on the same orders in one run.

Writes benchmarks/results/performance.md and performance.json; needs the extras demo and references.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Annotated

import empyrical
import pandas as pd
import psycopg
import typer

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scripts")]

import pages
from loads import deployed
from rubi.cli import Failure, new_app, run, step
from rubi.servers import embedded

START, END = "2025-01-01", "2026-01-01"
DAYS = pd.date_range(START, END, inclusive="left", tz="UTC")
BALANCE = 100_000.0
FETCH = """
    SELECT strategy_id, id, opened_at, closed_at, volume::float8 AS volume,
        commission::float8 AS commission, swap::float8 AS swap,
        (profit + commission + swap)::float8 AS net
    FROM trading_orders
    WHERE strategy_id BETWEEN %s AND %s AND close_price IS NOT NULL
        AND closed_at >= %s AND closed_at < %s
"""
CALCULATE = """
    SELECT m.* FROM trading_strategies AS s
    CROSS JOIN LATERAL calculate_performance_metrics(s.user_id, s.id, %s, %s) AS m
    WHERE s.id BETWEEN %s AND %s
"""

app = new_app(__doc__)
app.info.no_args_is_help = False


def fill(connection: psycopg.Connection, strategies: int, orders: int) -> tuple[int, int]:
    """Add users of ten strategies with one account each; answers first and last strategy."""
    connection.execute("SET session_replication_role = replica")  # no counters: not measured here
    users = (strategies + 9) // 10
    base = connection.execute("SELECT coalesce(max(id), 0) FROM users").fetchone()[0]
    first = connection.execute(
        "SELECT coalesce(max(id), 0) + 1 FROM trading_strategies"
    ).fetchone()[0]
    connection.execute(
        "INSERT INTO users (id, email, username, hashed_password)"
        " SELECT %s + n, format('b%%s@example.com', %s + n), format('b%%s', %s + n), '!'"
        " FROM generate_series(1, %s) AS n",
        [base, base, base, users],
    )
    connection.execute(
        "INSERT INTO mt5_accounts (id, user_id, server, account_number, broker)"
        " SELECT %s + n, %s + n, 'S', n::text, 'B' FROM generate_series(1, %s) AS n",
        [base, base, users],
    )
    connection.execute(
        "INSERT INTO mt5_sessions (user_id, account_id, account_number, broker)"
        " SELECT %s + n, %s + n, n::text, 'B' FROM generate_series(1, %s) AS n",
        [base, base, users],
    )
    connection.execute(
        "INSERT INTO account_snapshots (session_id, timestamp, balance, equity)"
        " SELECT session_id, %s::timestamptz - interval '1 second', %s, %s FROM mt5_sessions"
        " WHERE user_id > %s",
        [START, BALANCE, BALANCE, base],
    )
    connection.execute(
        "INSERT INTO trading_strategies (id, user_id, name)"
        " SELECT %s + n, %s + 1 + n %% %s, 'b' FROM generate_series(0, %s - 1) AS n",
        [first, base, users, strategies],
    )
    connection.execute(
        "INSERT INTO trading_orders (user_id, strategy_id, account_id, symbol, order_type, volume,"
        " open_price, close_price, profit, commission, swap, opened_at, closed_at)"
        " SELECT %s + 1 + s %% %s, %s + s, %s + 1 + s %% %s, 'EURUSD', 'BUY', 0.1, 1.1, 1.2,"
        " round((random() * 200 - 95)::numeric, 2), -0.70, round((random() * -1)::numeric, 2),"
        " at - interval '1 hour', at FROM ("
        "   SELECT n %% %s AS s, %s::timestamptz + n * (interval '364 days' / %s) AS at"
        "   FROM generate_series(1, %s) AS n) AS t",
        [base, users, first, base, users, strategies, START, orders, orders],
    )
    connection.execute("ANALYZE")
    return first, first + strategies - 1


def measure(frame: pd.DataFrame) -> dict[str, float]:
    """One strategy's figures, as an analyst writes them with pandas and empyrical."""
    frame = frame.sort_values(["closed_at", "id"])
    net = frame["net"]
    won, lost = net[net > 0], net[net < 0]
    balance = BALANCE + net.cumsum()
    high = balance.cummax().clip(lower=BALANCE)
    fall = high - balance
    daily = net.groupby(frame["closed_at"].dt.floor("D")).sum().reindex(DAYS, fill_value=0.0)
    opening = BALANCE + daily.cumsum() - daily
    returns = daily / opening
    side = (net > 0).astype(int) - (net < 0).astype(int)
    series = net.groupby((side != side.shift()).cumsum()).agg(["size", "sum", "first"])
    winning, losing = series[series["first"] > 0], series[series["first"] < 0]
    return {
        "trades": len(net),
        "win_rate": len(won) / len(net) * 100,
        "net": net.sum(),
        "gross_profit": won.sum(),
        "gross_loss": lost.sum(),
        "average_profit": net.mean(),
        "max_profit": won.max(),
        "max_loss": lost.min(),
        "payoff_ratio": won.mean() / -lost.mean(),
        "profit_factor": won.sum() / -lost.sum(),
        "commission": frame["commission"].sum(),
        "swap": frame["swap"].sum(),
        "turnover": frame["volume"].sum(),
        "holding": (frame["closed_at"] - frame["opened_at"]).mean(),
        "winning_series": winning["size"].max(),
        "losing_series": losing["size"].max(),
        "max_drawdown": fall.max(),
        "absolute": max(BALANCE - balance.min(), 0.0),
        "relative": (fall / high).max(),
        "sharpe": empyrical.sharpe_ratio(returns, annualization=365),
        "sortino": empyrical.sortino_ratio(returns, annualization=365),
        "calmar": empyrical.calmar_ratio(returns, annualization=365),
        "percent_drawdown": empyrical.max_drawdown(returns),
    }


def fetch(connection: psycopg.Connection, first: int, last: int) -> pd.DataFrame:
    """The orders of a range of strategies."""
    cursor = connection.cursor(binary=True)
    cursor.execute(FETCH, [first, last, START, END])
    names = [column.name for column in cursor.description]
    return pd.DataFrame(cursor.fetchall(), columns=names)


def by_pandas(frame: pd.DataFrame) -> pd.DataFrame:
    """Every strategy of the frame."""
    return pd.DataFrame({key: measure(part) for key, part in frame.groupby("strategy_id")}).T


def timed(times: list[float], work: Callable[[], object]) -> object:
    """Run once; the seconds are appended."""
    began = perf_counter()
    result = work()
    times.append(perf_counter() - began)
    return result


def compare(connection: psycopg.Connection, first: int, last: int, runs: int) -> dict[str, float]:
    """Medians of seconds of each way, after checking that both answer the same."""
    times: dict[str, list[float]] = {"database": [], "fetch": [], "pandas": []}

    def calculate() -> tuple[list[str], list[tuple]]:
        cursor = connection.execute(CALCULATE, [START, END, first, last])
        return [column.name for column in cursor.description or ()], cursor.fetchall()

    for _ in range(runs):
        names, rows = timed(times["database"], calculate)
        frame = timed(times["fetch"], lambda: fetch(connection, first, last))
        figures = timed(times["pandas"], lambda frame=frame: by_pandas(frame))
    for row in rows:
        ours = dict(zip(names, row, strict=True))
        theirs = figures.loc[ours["strategy_id"]]
        for mine, other in (
            ("sharpe_ratio", "sharpe"),
            ("calmar_ratio", "calmar"),
            ("max_drawdown", "max_drawdown"),
        ):
            if abs(float(ours[mine]) / theirs[other] - 1) > 1e-6:
                raise Failure(f"strategy {ours['strategy_id']}: {mine} differs")
    return {name: median(values) for name, values in times.items()}


@app.command()
def main(
    orders: Annotated[int, typer.Option(help="largest number of orders")] = 1_000_000,
    strategies: Annotated[int, typer.Option(help="strategies at that number")] = 1000,
    runs: Annotated[int, typer.Option(help="runs, of which the median counts")] = 3,
    pg: Annotated[int, typer.Option(help="major version")] = embedded.DEFAULT_MAJOR,
    output: Annotated[Path, typer.Option(help="folder for the figures")] = pages.RESULTS,
) -> None:
    """Compare at a hundredth, a tenth and the whole of the orders, then one strategy of 10,000."""
    result: dict = {"runs": runs, "rows": []}
    with deployed(pg) as server, server.connect("ours") as connection:
        connection.execute("SET timezone = 'UTC'")
        for part in (100, 10, 1):
            count = max(strategies // part, 1)
            with step(f"{orders // part} orders of {count} strategies"):
                first, last = fill(connection, count, orders // part)
                seconds = compare(connection, first, last, runs)
            result["rows"].append({"strategies": count, "orders": orders // part, **seconds})
        with step("one strategy of 10000 orders, 21 calls"):
            first, last = fill(connection, 1, 10_000)
            single: list[float] = []
            for _ in range(21):
                timed(single, lambda: connection.execute(
                    CALCULATE, [START, END, first, last]).fetchall())  # fmt: skip
        with step("all of it stored by refresh_performance_metrics"):
            whole: list[float] = []
            timed(whole, lambda: connection.execute(
                "SELECT refresh_performance_metrics(%s, %s)", [START, END]))  # fmt: skip
            stored = connection.execute("SELECT count(*) FROM performance_metrics").fetchone()[0]
        result |= {"facts": pages.facts(connection), "single": single, "refresh": whole[0],
                   "stored": stored}  # fmt: skip
    pages.write(output, "performance", report(result), result)


def report(result: dict) -> str:
    """The page."""
    single = [seconds * 1000 for seconds in result["single"]]
    return "\n".join(
        [
            "# Trading results by the database and by pandas",
            "",
            "Made by `benchmarks/performance.py`: all figures of each strategy over a year, by the "
            "database and by pandas and empyrical from the same orders; seconds are medians of "
            f"{result['runs']} runs.",
            "",
            pages.said(result["facts"]),
            "",
            "| strategies | orders | database, s | fetching, s | pandas, s "
            "| database / (fetching + pandas) | database / pandas | database, µs an order |",
            "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
            *(
                f"| {row['strategies']:,} | {row['orders']:,} | {row['database']:.2f} "
                f"| {row['fetch']:.2f} | {row['pandas']:.2f} "
                f"| {row['database'] / (row['fetch'] + row['pandas']):.2f} "
                f"| {row['database'] / row['pandas']:.2f} "
                f"| {row['database'] / row['orders'] * 1e6:.1f} |"
                for row in result["rows"]
            ),
            "",
            f"One strategy of 10,000 orders: median {median(single):.0f} ms (wanted 50), fastest "
            f"{min(single):.0f} ms, the first call of a session {single[0]:.0f} ms.",
            "",
            f"All stored by refresh_performance_metrics: {result['refresh']:.1f} s for "
            f"{result['stored']:,} rows.",
            "",
        ]
    )


if __name__ == "__main__":
    run(app)
