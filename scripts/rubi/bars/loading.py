"""Loads files of bars and ticks: planned all before the first, then each staged and merged."""

import csv
from pathlib import Path
from time import monotonic

import psycopg
import typer
from psycopg import sql
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

from rubi import server_clock
from rubi.bars.clocks import Plan
from rubi.bars.files import TICKS, BarFile, is_zip, members
from rubi.bars.layouts import Options
from rubi.bars.plan import Planner
from rubi.bars.values import RawForm, Reader
from rubi.cli import Failure, console, errors, one_line, step
from rubi.connecting import session

# COPY's errors for a line it can't read; any other error has another cause than the line.
LINE_ERRORS = (psycopg.errors.DataError, psycopg.errors.IntegrityError)


class Loader:
    """Stages one file after another over one connection, and merges each."""

    def __init__(self, connection: psycopg.Connection, source: str | None, conflict: str) -> None:
        self.connection, self.source, self.conflict = connection, source, conflict
        self.traded: list[tuple[int, str, str]] | None = None  # symbols of accounts, asked for once

    def load(self, plan: Plan, progress: Progress) -> list[str]:
        """Load one file; answers the text to print. Raises Failure, and then no line was loaded."""
        file = plan.file
        self.plan = plan
        self.table = "staged_ticks" if file.layout.ticks else "staged_bars"
        self.raw, self.reader = RawForm(file.layout), Reader(file.layout)
        self.rejected: dict[int, str] = {}
        self.skipped = 0
        began = monotonic()
        try:
            with self.connection.transaction():
                self.connection.execute(
                    "SELECT stage_ticks()" if file.layout.ticks else "SELECT stage_bars()"
                )
                self.stage(progress)
                counts = self.merge()
                self.rejected |= self.connection.execute(
                    "SELECT line, reason FROM pg_temp.staged_rejects"
                ).fetchall()
                file.rejects.unlink(missing_ok=True)
                if self.rejected:
                    self.write_rejected()
                if not sum(counts[1:4]):
                    raise psycopg.Rollback  # a file without a bar fixes neither series nor clock
                self.compare_with_deals()
        except (psycopg.Error, OSError, Failure) as error:
            raise Failure(f"{file.name}: {one_line(error)}; no line was loaded") from error
        return self.summary(counts, max(monotonic() - began, 0.001))

    def summary(self, counts: tuple[int, ...], seconds: float) -> list[str]:
        """The outcome of a file. Raises Failure where it had no line."""
        _, inserted, updated, unchanged, _ = counts
        refused = len(self.rejected)
        lines = inserted + updated + unchanged + refused + self.skipped
        if not lines:
            raise Failure(f"{self.plan.file.name}: a header without any line")
        said = [f"{lines:,} lines"]
        said += [f"{refused:,} REJECTED, see {self.plan.file.rejects}"] if refused else []
        said.append(f"{inserted:,} new")
        said += [f"{updated:,} updated"] if updated else []
        said += [f"{unchanged:,} there already"] if unchanged else []
        said += [f"{self.skipped:,} of other tickers left out"] if self.skipped else []
        said += [f"{text} in {count:,} values" for text, count in self.reader.told.items()]
        said.append(f"{lines / seconds:,.0f} lines/s")
        return said

    def stage(self, progress: Progress) -> None:
        """Copy the file's lines into the staging table."""
        task = progress.add_task(self.plan.file.name, total=None)
        for first, block in self.plan.file.blocks():
            progress.update(task, advance=len(block))
            ready = self.raw.take(block)
            if ready is None or not self.copy_raw(first, ready):
                self.copy_lines(first, block)
        progress.remove_task(task)
        if self.plan.by_moment and not self.plan.file.layout.ticks:
            self.turn_into_moments()

    def copy_raw(self, first: int, block: bytes) -> bool:
        """Give a block to COPY as it stands; answers False when COPY refused it."""
        query = sql.SQL("COPY pg_temp.{} ({}) FROM STDIN (NULL '', DELIMITER {})").format(
            sql.Identifier(self.table),
            sql.SQL(", ").join(map(sql.Identifier, self.raw.columns)),
            sql.Literal(self.raw.delimiter),
        )
        try:
            with self.connection.transaction(), self.connection.cursor() as cursor:
                cursor.execute("SELECT setval('pg_temp.staged_line', %s, FALSE)", [first])
                with cursor.copy(query) as copy:
                    copy.write(block)
        except LINE_ERRORS:
            return False
        return True

    def copy_lines(self, first: int, block: bytes) -> None:
        """Look at a block line by line: good ones are staged, the others keep their reason."""
        ticks = self.plan.file.layout.ticks
        columns = [
            *("day", "time_of_day"),
            *(("bid", "ask", "last", "volume", "flags") if ticks
              else ("moment", "open", "high", "low", "close", "volume", "real_volume", "spread")),
        ]  # fmt: skip
        defaults = {"time_of_day": "00:00", "volume": 0, "flags": 0}
        query = sql.SQL("COPY pg_temp.{} (line, {}) FROM STDIN").format(
            sql.Identifier(self.table), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        with self.connection.cursor() as cursor, cursor.copy(query) as copy:
            for number, row in self.reader.rows(block, first):
                if row is None:
                    self.skipped += 1
                elif isinstance(row, str):
                    self.rejected[number] = row
                elif self.plan.clock is None and "moment" not in row:
                    self.rejected[number] = "time names no zone, the first line's does"
                else:
                    copy.write_row(
                        (number, *(row.get(name, defaults.get(name)) for name in columns))
                    )

    def turn_into_moments(self) -> None:
        """Read staged times by the file's clock, where its series goes by another."""
        plan = self.plan
        self.connection.execute(
            "UPDATE pg_temp.staged_bars SET day = NULL,"
            " moment = coalesce(moment, clock_to_utc(day + time_of_day, c.clock))"
            " FROM (SELECT %s::server_clock AS clock OFFSET 0) AS c",
            [plan.clock or "UTC"],
        )
        if plan.to_midnight:
            self.connection.execute(
                "UPDATE pg_temp.staged_bars SET moment = clock_to_utc("
                "date_trunc('day', utc_to_clock(moment, c.clock)), c.clock)"
                " FROM (SELECT %s::server_clock AS clock OFFSET 0) AS c",
                [plan.series_clock],
            )

    def compare_with_deals(self) -> None:
        """Keep the clock as the server's first one, and see whether deals agree.

        Raises Failure where deals of the source lie within bars of another hour; deals of other
        servers are only reported, as their brokers' prices differ.
        """
        plan = self.plan
        if plan.keeps_rule and not server_clock.rules(self.connection, self.source):
            clock = server_clock.settle(self.connection, self.source, plan.clock)
            plan.said.append(f"{clock} kept as the rule of {self.source}, for its deals too")
        if plan.timeframe != "M1":
            return
        if self.traded is None:
            self.traded = self.connection.execute(
                "SELECT a.id, a.server, canonical_symbol(a.id, d.symbol) FROM mt5_accounts AS a"
                " CROSS JOIN LATERAL (SELECT DISTINCT x.symbol FROM trading_deals AS x"
                " WHERE x.account_id = a.id AND x.type IN (0, 1)) AS d"
                " WHERE a.server = coalesce(%s, a.server)",
                [self.source],
            ).fetchall()
        for account, server, symbol in self.traded:
            try:
                if symbol == plan.symbol and (
                    said := server_clock.look_at_bars(self.connection, account, server)
                ):
                    plan.said.append(said)
            except Failure as error:
                if self.source:
                    raise
                plan.said.append(f"WARNING: {error}".removesuffix("; nothing was stored"))

    def merge(self) -> tuple[int, ...]:
        """Merge the staged rows: numbers staged, inserted, updated, unchanged, rejected."""
        plan = self.plan
        if plan.timeframe == TICKS:
            query, arguments = "merge_staged_ticks(%s, %s, %s, %s)", [plan.symbol]
        else:
            query, arguments = (
                "merge_staged_bars(%s, %s, %s, %s, %s)",
                [plan.symbol, plan.timeframe],
            )
        return self.connection.execute(
            "SELECT staged, inserted, updated, unchanged, rejected FROM " + query,  # noqa: S608
            [*arguments, self.source, plan.series_clock, self.conflict],
        ).fetchone()

    def write_rejected(self) -> None:
        """Write the rejected lines as they are in the file, with number and reason."""
        with self.plan.file.rejects.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
            writer.writerow(("line", "reason", "text"))
            for number, text in self.plan.file.texts(set(self.rejected)):
                writer.writerow((number, self.rejected[number], text))


def check(connection: psycopg.Connection, paths: list[Path], options: Options) -> list[Plan]:
    """Plan all files. Ends the work where one of them can't be loaded, after naming each."""
    planner, plans, refused = Planner(connection, options), [], 0
    for path in paths:
        names: list[str | None] = [None]
        try:
            names = members(path) if is_zip(path) else names
        except (Failure, OSError) as error:
            refused += 1
            errors.print(f"error: {one_line(error)}")
            continue
        for member in names:
            try:
                plans.append(planner.plan(BarFile(path, options, member)))
            except (Failure, OSError, psycopg.Error) as error:
                refused += 1
                errors.print(f"error: {one_line(error)}")
    if refused and plans:
        raise Failure(f"nothing was loaded: leave these {refused} out, {len(plans)} others can be")
    if refused:
        raise typer.Exit(1)
    return plans


def load_all(dsn: str, files: list[Path], options: Options, conflict: str) -> bool:
    """Check all files, then load one after the other; answers whether every line was loaded."""
    failed = False
    with session(dsn, "load_bars") as connection:
        connection.execute("SET datestyle = 'ISO, YMD'; SET temp_buffers = '64MB'")
        for name in filter(None, (options.clock, options.day_clock)):
            # an unknown zone stops here
            connection.execute("SELECT %s::server_clock", [name])
        with step("files looked at", silent=True):
            plans = check(connection, files, options)
        loader = Loader(connection, options.source, conflict)
        with Progress(
            TextColumn("{task.description}", table_column=Column(overflow="fold")),
            *(BarColumn(), DownloadColumn(), TimeRemainingColumn()),
            console=console, transient=True, disable=not console.is_terminal,
        ) as progress:  # fmt: skip
            for plan in plans:
                try:
                    said = loader.load(plan, progress)
                except (Failure, OSError) as error:
                    errors.print(f"error: {one_line(error)}")
                    failed = True
                    continue
                failed = failed or bool(loader.rejected)
                for line in (
                    f"{plan.file.name}: {plan.symbol} {plan.timeframe} · {' · '.join(said)}",
                    f"  {' · '.join(plan.said)}",
                ):
                    console.print(line)
        connection.execute("SELECT fold_bar_changes()")
    return not failed
