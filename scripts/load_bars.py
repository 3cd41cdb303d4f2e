"""Loads files of bars or ticks into market_data or market_ticks.

Understands the MT5 terminal's exports (tab-separated, UTF-8 or UTF-16) and CSV with a header, each
also compressed with gzip. Symbol and timeframe come from MT5's file names unless given. A file is
loaded whole or not at all, so loading can be interrupted and repeated. Lines that break a rule are
written, with number and reason, to FILE.rejected.tsv; the others
are loaded, and the exit code is 1.
"""

from __future__ import annotations

import csv
from pathlib import Path
from time import monotonic
from typing import Annotated, Literal

import psycopg
import typer
from psycopg import sql
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from bar_files import TICKS, TIMEFRAMES, BarFile, guess, plain, rows
from cli import Failure, console, errors, new_app, one_line, run
from deploy import Dsn

CLOCKS = {"NY+7": "America/New_York+7"}
# What COPY says of a line it can't read; anything else is no matter of the line.
LINE_ERRORS = (psycopg.errors.DataError, psycopg.errors.IntegrityError)

app = new_app(__doc__)


class Loader:
    """Stages one file after another over one connection, and merges each."""

    def __init__(
        self, connection: psycopg.Connection, source: str | None, clock: str | None, conflict: str
    ) -> None:
        self.connection = connection
        self.source = source
        self.clock = CLOCKS.get(clock.upper(), clock) if clock else "UTC"
        self.conflict = conflict

    def load(self, file: BarFile, symbol: str, timeframe: str, progress: Progress) -> list[str]:
        """Load one file; answers what to say. Raises Failure, and then nothing was loaded."""
        self.table = "staged_ticks" if file.layout.ticks else "staged_bars"
        self.rejected: dict[int, str] = {}
        began = monotonic()
        try:
            with self.connection.transaction():
                self.connection.execute(
                    "SELECT stage_ticks()" if file.layout.ticks else "SELECT stage_bars()"
                )
                self.stage(file, progress)
                counts = self.merge(symbol, timeframe)
                self.rejected |= self.connection.execute(
                    "SELECT line, reason FROM pg_temp.staged_rejects"
                ).fetchall()
                target = file.path.with_name(file.path.name + ".rejected.tsv")
                target.unlink(missing_ok=True)
                if self.rejected:
                    self.write_rejected(file, target)
        except (psycopg.Error, OSError) as error:
            raise Failure(f"{file.path}: {one_line(error)}; nothing of it was loaded") from error
        _, inserted, updated, unchanged, _ = counts
        refused = len(self.rejected)
        if not inserted + updated + unchanged + refused:
            raise Failure(f"{file.path}: a header without any line")
        seconds = max(monotonic() - began, 0.001)
        lines = inserted + updated + unchanged + refused
        said = [f"{lines:,} lines", f"{inserted:,} new"]
        said += [f"{updated:,} updated"] if updated else []
        said += [f"{unchanged:,} there already"] if unchanged else []
        said.append(f"{lines / seconds:,.0f} lines/s")
        if refused:
            said.insert(1, f"{refused:,} REJECTED, see {target}")
        return said

    def stage(self, file: BarFile, progress: Progress) -> None:
        """Copy the file's lines into the staging table."""
        task = progress.add_task(file.path.name, total=None)
        for first, block in file.blocks():
            progress.update(task, advance=len(block))
            if file.layout.raw and plain(block) and self.copy_raw(first, block, file):
                continue
            self.copy_lines(first, block, file)
        progress.remove_task(task)

    def copy_raw(self, first: int, block: bytes, file: BarFile) -> bool:
        """Give a block to COPY as it stands; answers False when COPY refused it."""
        query = sql.SQL("COPY pg_temp.{} ({}) FROM STDIN (NULL '')").format(
            sql.Identifier(self.table), sql.SQL(", ").join(map(sql.Identifier, file.layout.columns))
        )
        try:
            with self.connection.transaction(), self.connection.cursor() as cursor:
                cursor.execute("SELECT setval('pg_temp.staged_line', %s, FALSE)", [first])
                with cursor.copy(query) as copy:
                    copy.write(block)
        except LINE_ERRORS:
            return False
        return True

    def copy_lines(self, first: int, block: bytes, file: BarFile) -> None:
        """Look at a block line by line: good ones are staged, the others keep their reason."""
        columns = [
            *("day", "time_of_day"),
            *(("bid", "ask", "last", "volume", "flags") if file.layout.ticks
              else ("moment", "open", "high", "low", "close", "volume", "real_volume", "spread")),
        ]  # fmt: skip
        defaults = {"time_of_day": "00:00", "volume": 0, "flags": 0}
        query = sql.SQL("COPY pg_temp.{} (line, {}) FROM STDIN").format(
            sql.Identifier(self.table), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        with self.connection.cursor() as cursor, cursor.copy(query) as copy:
            for number, row in rows(block, first, file.layout):
                if isinstance(row, str):
                    self.rejected[number] = row
                else:
                    copy.write_row(
                        (number, *(row.get(name, defaults.get(name)) for name in columns))
                    )

    def merge(self, symbol: str, timeframe: str) -> tuple[int, ...]:
        """Merge what was staged: staged, inserted, updated, unchanged, rejected."""
        if timeframe == TICKS:
            query, arguments = "merge_staged_ticks(%s, %s, %s, %s)", [symbol]
        else:
            query, arguments = "merge_staged_bars(%s, %s, %s, %s, %s)", [symbol, timeframe]
        return self.connection.execute(
            "SELECT staged, inserted, updated, unchanged, rejected FROM " + query,  # noqa: S608
            [*arguments, self.source, self.clock, self.conflict],
        ).fetchone()

    def write_rejected(self, file: BarFile, target: Path) -> None:
        """Write the rejected lines as they are in the file, with number and reason."""
        with target.open("w", newline="") as stream:
            writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
            writer.writerow(("line", "reason", "text"))
            for number, text in file.texts(set(self.rejected)):
                writer.writerow((number, self.rejected[number], text))


def describe(path: Path, symbol: str | None, timeframe: str | None) -> tuple[BarFile, str, str]:
    """A file with its symbol and timeframe. Raises Failure where they can't be told."""
    file = BarFile(path)
    guessed_symbol, guessed_timeframe = guess(path)
    symbol = symbol or guessed_symbol
    timeframe = TICKS if file.layout.ticks else timeframe or guessed_timeframe
    if not symbol or not timeframe:
        missing = "--symbol" if not symbol else "--timeframe"
        raise Failure(f"{path}: the name does not tell, give {missing}")
    return file, symbol, timeframe


@app.command()
def load(
    files: Annotated[list[Path], typer.Argument(help="files to load", show_default=False)],
    symbol: Annotated[str | None, typer.Option(help="else from MT5's file name")] = None,
    timeframe: Annotated[str | None, typer.Option(help="M1 to MN1, else from the name")] = None,
    server_clock: Annotated[
        str | None,
        typer.Option(
            help="clock of the file's times: a time zone and hours it is ahead, such as"
            " America/New_York+7 (short NY+7), Europe/Athens, UTC+3; UTC when not given"
        ),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="who delivered the bars; a series has one source")
    ] = None,
    on_conflict: Annotated[
        Literal["skip", "update", "error"],
        typer.Option(help="where a bar is there already: keep it, replace it, or stop"),
    ] = "skip",
    dsn: Dsn = "",
) -> None:
    """Load files. Exit code 1 when a file or any line could not be loaded."""
    if timeframe is not None and (timeframe := timeframe.upper()) not in TIMEFRAMES:
        raise typer.BadParameter(f"{timeframe}: one of {', '.join(TIMEFRAMES)}")
    if server_clock is None:
        console.print("no --server-clock given: times without a zone are read as UTC")
    failed = False
    with psycopg.connect(
        dsn,
        autocommit=True,
        application_name="rubi load_bars",
        options="-c timezone=UTC -c datestyle=ISO,YMD -c statement_timeout=0"
        " -c idle_in_transaction_session_timeout=0 -c temp_buffers=64MB"
        " -c client_min_messages=warning",
    ) as connection:
        loader = Loader(connection, source, server_clock, on_conflict)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(),
                   TimeRemainingColumn())  # fmt: skip
        with Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        ) as progress:
            for path in files:
                try:
                    file, series, frame = describe(path, symbol, timeframe)
                    said = loader.load(file, series, frame, progress)
                except (Failure, OSError) as error:
                    errors.print(f"error: {one_line(error)}", markup=False)
                    failed = True
                    continue
                if file.layout.ignored:
                    said.append(f"columns left out: {', '.join(file.layout.ignored)}")
                failed = failed or bool(loader.rejected)
                console.print(
                    f"{path.name}: {series} {frame} · {' · '.join(said)}",
                    markup=False,
                    soft_wrap=True,
                )
        connection.execute("SELECT fold_bar_changes()")
    if failed:
        raise typer.Exit(1)


if __name__ == "__main__":
    run(app)
