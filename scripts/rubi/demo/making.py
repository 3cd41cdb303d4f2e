"""Makes the demo: server, database, bars, trades, report; and shows it."""

from rubi import early  # noqa: F401  # isort: skip

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import psycopg
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from rubi.bars import samples
from rubi.cli import console, print_table, step
from rubi.demo import database, replaying
from rubi.demo.desk import EMAIL
from rubi.demo.server import DATABASE, Demo
from rubi.queries import queries
from rubi.reporting import writing
from rubi.servers import debian, embedded


@contextmanager
def ended_on_failure(demo: Demo) -> Iterator[None]:
    """A server that this run started does not outlive its failure; a full disk is named."""
    was_running = demo.given or demo.pid()
    with nullcontext() if demo.given else debian.full_disk_named(demo.folder):
        try:
            yield
        except BaseException:
            if not was_running:
                demo.end_server()
            raise


def show(connection: psycopg.Connection, title: str, query: str) -> None:
    """Print a query's rows as a table under a title."""
    cursor = connection.execute(query)
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for index, column in enumerate(cursor.description or ()):
        numeric = column.type_code in (20, 21, 23, 1700)
        table.add_column(column.name, justify="right" if numeric and index else "left")
    for row in cursor:
        table.add_row(*("" if value is None else str(value) for value in row))
    console.print()
    print_table(table)


SQL = queries(__file__)
SHOWN = {
    "Rows": SQL.ROWS,
    "Hypertables": SQL.HYPERTABLES,
    "user_trading_stats": SQL.STATISTICS,
    "Latest deals": SQL.DEALS,
    "Latest orders": SQL.ORDERS,
    "Latest trades, from opening to closing": SQL.TRIPS,
    "The way of the latest signal": SQL.TRACE,
    "Open positions": SQL.POSITIONS,
    "Results of the last twelve months with trades": SQL.MONTHS,
    "Proofs": SQL.PROOFS,
}


def show_all(demo: Demo) -> None:
    with psycopg.connect(demo.dsn()) as connection:
        connection.execute("SET timezone = 'UTC'")
        for title, query in SHOWN.items():
            show(connection, title, query)


def make_ready(demo: Demo) -> None:
    """Server, database, schema, bars, trades, report."""
    if not demo.given:
        with step("TimescaleDB server on this machine"):
            embedded.binaries()
        with step("server started") as notes:
            notes.append(demo.start())
    with step(f"database {DATABASE} and its administrator") as notes:
        notes.append(database.prepare(demo))
    with step("schema deployed as rubi_admin") as notes:
        notes.append(database.deploy_files(demo))
    with psycopg.connect(demo.dsn("rubi_app"), autocommit=True) as connection:
        with step("real bars loaded as rubi_app") as notes:
            series = [samples.read_bars(market) for market in samples.MARKETS]
            for bars in series:
                new = samples.load_bars(connection, bars)
                samples.load_calendar(connection, bars)
                notes.append(f"{bars[0].market.symbol} {len(bars)} ({new} new)")
        with step("strategy traded at a stand-in terminal, read by the gateway") as notes:
            if replaying.is_complete(connection):
                notes.append("earlier")
            else:
                total = sum(map(len, series))
                notes.append(f"{total} bars")
                traded = replaying.replay(connection, series, demo.dsn("rubi_ingest"), True)
                watch(traded, total)
    with step("report of the strategy"):
        demo.page.write_text(writing.make_page(demo.dsn("rubi_app"), EMAIL), encoding="utf-8")


def say_how_to_connect(demo: Demo, seconds: float) -> None:
    """Commands that can be typed now."""
    lines = {
        "scripts/demo.sh psql": "as superuser",
        "scripts/demo.sh psql --role rubi_app": "as the API",
        "scripts/demo.sh url": "prints a superuser's URL; --role as above",
        "scripts/demo.sh stop | clean": "stops the server | removes it with its data",
    }
    console.print(f"\nDone in {seconds:.1f} s. Connect with:")
    for command, meaning in lines.items():
        console.print(f"  {command:<36}  {meaning}")
    console.print(f"The report, for a browser: {demo.page}")


def watch(bars_done: Iterator[int], total: int) -> None:
    """Show progress on a terminal while the strategy trades."""
    columns = (
        TextColumn("trading"),
        BarColumn(),
        TextColumn("{task.completed}"),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("", total=total)
        for done in bars_done:
            progress.update(task, completed=done)
