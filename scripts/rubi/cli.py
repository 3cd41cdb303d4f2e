"""Parts of every command of this folder: errors in one line, exit codes, steps on the screen."""

import errno
import logging
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from inspect import getdoc
from pathlib import Path
from time import monotonic

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

# of a column of text beside columns of numbers
NARROWEST_TEXT = 20
# systemd, timeout and a shutdown send the first, a terminal that is closed the other
ENDS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


def drop_output() -> None:
    """Send further output nowhere: its reader has gone."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


class Screen(Console):
    """A console whose work goes on when its reader ends, as in `scripts/demo.sh | head`."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        drop_output()

    def print(self, *objects: object, **how: object) -> None:
        """A text goes out as it is, in one line; markup counts in tables, or where asked for."""
        if all(isinstance(one, str) for one in objects):
            how = {"markup": False, "soft_wrap": True} | how
        super().print(*objects, **how)


# a terminal's name may hold :package:, which is no picture of a parcel
console = Screen(highlight=False, emoji=False)
errors = Screen(stderr=True, highlight=False, emoji=False)
if hasattr(sys.stdout, "reconfigure"):
    # a terminal of ISO-8859-1 lacks some signs: a question mark then
    sys.stdout.reconfigure(errors="replace")


# libraries that one kind of work needs, and the extra of pyproject.toml that brings them
EXTRAS = {
    "bcrypt": "install", "boto3": "backup", "duckdb": "lake", "jinja2": "report", "lxml": "load",
    "pandas": "demo", "playwright": "pictures", "pyarrow": "archive", "pyrage": "backup",
    "pyspark": "spark",
}  # fmt: skip


class Failure(Exception):
    """Work that could not be done. The message is one line: the cause, and the cure.

    code is 2 where an option is missing that the message names.
    """

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def new_app(help_text: str) -> typer.Typer:
    """A command line whose errors reach `run` and whose help is shown without a command."""
    return typer.Typer(
        help=help_text,
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )


def moment(text: str, option: str) -> datetime:
    """A day, or a time, of UTC unless the text says otherwise. Wrong usage is another text."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        said = f"{text} is no day or time: 2026-01-31, 2026-01-31T03:00"
        raise typer.BadParameter(said, param_hint=option) from error
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def replace_private(path: Path, text: str) -> None:
    """Replace a file in one step; only its owner ever reads it."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(0o600, exist_ok=False)
    new.write_text(text, encoding="utf-8")
    sync(new)
    new.replace(path)
    sync(path.parent)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to; its file takes the place of the other when it is whole. A pipe is written
    to itself."""
    path = path.resolve()
    if path.exists() and not path.is_file():
        yield path
        return
    new = path.with_name(f".partial-{path.name}")
    try:
        yield new
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def sync(*paths: Path) -> None:
    """Have files, and the names in folders, on the disk itself."""
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError as error:
            # as PostgreSQL does: some file systems can't be asked this of a folder
            if error.errno not in (errno.EINVAL, errno.EBADF) or not path.is_dir():
                raise
        finally:
            os.close(handle)


def print_file(text: str) -> None:
    """Print what is to become a file: whole, while what a terminal lacks is shown as a sign."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")
    print(text, end="")


def database_errors() -> tuple[type[Exception], ...]:
    """psycopg's errors, where psycopg is loaded: a command without psycopg has none."""
    psycopg = sys.modules.get("psycopg")
    return (psycopg.Error,) if psycopg else ()


def one_line(error: BaseException) -> str:
    """The first line of an error's message, with PostgreSQL's hint where there is one."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), repr(error))
    if isinstance(error, database_errors()) and error.diag.message_primary:
        text = error.diag.message_primary
        if error.diag.message_hint:
            text += f" ({error.diag.message_hint})"
    elif isinstance(error, database_errors()) and type(error).__name__ == "ProgrammingError":
        # of a connection string libpq repeats what it can't read, a password too
        text = re.sub(r'"[^"\s][^"].*"', '"…"', text)
    elif text.startswith("failed to resolve host None"):  # psycopg knows no name of a variable
        text = text.replace("None", os.environ.get("PGHOST", "of the service file"), 1)
    elif isinstance(error, UnicodeEncodeError):
        # of an argument or a variable: the database takes UTF-8 only
        text = f"{error.object!r} holds bytes that are no UTF-8"
    elif isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(text.split())


@contextmanager
def ended_by_signals() -> Iterator[list[int]]:
    """Signals end the work as Ctrl-C does: what it began is removed, and psycopg cancels what the
    server is doing. Answers the signal that came.
    """
    came: list[int] = []

    def end(number: int, frame: object) -> None:
        for one in ENDS:
            signal.signal(one, signal.SIG_IGN)  # removing is not ended by a second one
        came.append(number)
        raise KeyboardInterrupt("stopped by a signal")

    before = [(one, signal.getsignal(one)) for one in ENDS]
    with suppress(ValueError):  # only the main thread gets signals
        for one, was in before:
            if was == signal.SIG_DFL:  # nohup ignores one
                signal.signal(one, end)
    try:
        yield came
    finally:
        with suppress(ValueError):
            for one, was in before:
                signal.signal(one, was)


def show_all_help(app: typer.Typer) -> None:
    """The help of a command that stands alone begins with its module's, which typer leaves out."""
    if len(app.registered_commands) == 1 and not app.registered_callback:
        alone = app.registered_commands[0]
        alone.help = f"{app.info.help}\n\n{getdoc(alone.callback)}"


# function, table, type or schema that does not exist
ABSENT = ("42883", "42P01", "42704", "3F000")
READ_ONLY = "25006"
SCHEMA = "is this the database with the schema? .venv/bin/python scripts/deploy.py status tells"


def run(app: typer.Typer) -> None:
    """Run a command line: exit code 0 done, 1 failed, 2 wrong usage; never a traceback."""
    show_all_help(app)
    # a role or a database may have other defaults, whose times psycopg can't read; in full, as
    # other programs' drivers take it
    os.environ |= {"PGDATESTYLE": "ISO, MDY", "PGTZ": "UTC"}
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # a connection that broke is told by us
    try:
        with ended_by_signals() as signals:
            app()
    except BrokenPipeError:
        drop_output()
        sys.exit(1)
    except (Failure, OSError, UnicodeEncodeError, *database_errors()) as error:
        cure = f"; {SCHEMA}" if getattr(error, "sqlstate", None) in ABSENT else ""
        if getattr(getattr(error, "error", error), "sqlstate", None) == READ_ONLY:
            cure = "; on a standby: connect to its primary"
        errors.print(f"error: {one_line(error)}{cure}")
        sys.exit(error.code if isinstance(error, Failure) else 1)
    except ImportError as error:
        name = (error.name or "").partition(".")[0]
        if name not in EXTRAS:
            raise
        is_there = not isinstance(error, ModuleNotFoundError)
        what = f"can't be loaded ({one_line(error)})" if is_there else "is not installed"
        errors.print(f"error: {name} {what}: .venv/bin/pip install -e '.[{EXTRAS[name]}]'")
        sys.exit(1)
    except SystemExit as end:
        if end.code == 130:  # typer's answer to Ctrl-C
            errors.print("stopped by a signal" if signals else "interrupted")
            sys.exit(128 + signals[0] if signals else 130)
        raise


@contextmanager
def step(text: str, silent: bool = False) -> Iterator[list[str]]:
    """Show a step while it runs, then its time and the text that the block appends.

    silent: no line for a step whose block appended nothing.
    """
    notes: list[str] = []
    text = escape(text)  # a folder may be called [x]
    began = monotonic()
    unicode = console.encoding.startswith("utf")
    if console.is_terminal:
        with console.status(text, spinner="dots" if unicode else "line"):
            yield notes
    else:
        yield notes
    if silent and not notes:
        return
    said = escape(f" · {', '.join(notes)}") if notes else ""
    console.print(
        f"[green]{'✓' if unicode else 'ok'}[/] {text}{said} [dim]{monotonic() - began:.1f} s[/]",
        markup=True,
    )


def print_table(table: Table, wraps: str = "") -> None:
    """A table, or one value a line where the screen is too narrow: no number is ever cut.

    wraps: header of a column whose text may go over several lines.
    """
    wide = console.options.update(max_width=100_000)
    width = Measurement.get(console, wide, table).maximum
    for column in table.columns:
        if column.header == wraps:
            width -= max(0, max(map(cell_len, map(str, column.cells))) - NARROWEST_TEXT)
    if width <= console.width:
        console.print(table)
        return
    if table.title:
        console.print(table.title, style=table.title_style or "")
    headers = [str(column.header) for column in table.columns]
    for number, row in enumerate(zip(*(column.cells for column in table.columns), strict=True)):
        if number:
            console.print()
        for header, value in zip(headers, row, strict=True):
            console.print(f"{header:<{max(map(len, headers))}}  {value}", markup=True)
