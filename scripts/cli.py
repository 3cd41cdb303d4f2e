"""What every command of this folder shares: errors in one line, exit codes, steps on the screen."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import psycopg
import typer
from rich.console import Console

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


class Failure(Exception):
    """Work that could not be done. The message is one line: what is wrong and what to do.

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


def one_line(error: BaseException) -> str:
    """The first line of an error's message, with PostgreSQL's hint where there is one."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), repr(error))
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        text = error.diag.message_primary
        if error.diag.message_hint:
            text += f" ({error.diag.message_hint})"
    return " ".join(text.split())


def run(app: typer.Typer) -> None:
    """Run a command line: exit code 0 done, 1 failed, 2 wrong usage; never a traceback."""
    try:
        app()
    except (Failure, psycopg.Error, OSError) as error:
        errors.print(f"error: {one_line(error)}", markup=False)
        sys.exit(error.code if isinstance(error, Failure) else 1)
    except SystemExit as end:
        if end.code == 130:  # typer's answer to Ctrl-C
            errors.print("interrupted", markup=False)
        raise


@contextmanager
def step(text: str) -> Iterator[list[str]]:
    """Show a step while it runs, then its time; what the block appends is said behind it."""
    notes: list[str] = []
    began = monotonic()
    if console.is_terminal:
        with console.status(text):
            yield notes
    else:
        yield notes
    said = f" · {', '.join(notes)}" if notes else ""
    console.print(f"[green]✓[/] {text}{said} [dim]{monotonic() - began:.1f} s[/]", soft_wrap=True)
