"""monitoring.health as a table, as JSON, and as Nagios reads it."""

from decimal import Decimal
from time import monotonic, sleep, time
from typing import Any

import psycopg
from psycopg import errors, sql
from psycopg.rows import dict_row
from rich.markup import escape
from rich.table import Table

from rubi.cli import Failure, console, print_table
from rubi.cli import errors as screen
from rubi.connecting import kept_alive

CODES = {"ok": 0, "warning": 1, "critical": 2, "unknown": 3}
# the worst status comes first; unknown is no reason to wake somebody
ORDER = ("critical", "warning", "unknown", "ok")
PIPE_WIDTH = 10_000
STYLES = {"ok": "green", "warning": "yellow", "critical": "bold red", "unknown": "magenta"}
QUERY = """
    SELECT name, status, value, unit, warning, critical, detail, meaning, action
    FROM monitoring.health
    WHERE %(names)s::text[] = '{}' OR name = ANY (%(names)s)
    ORDER BY array_position(%(order)s, status), name
"""


def connect(dsn: str) -> psycopg.Connection:
    """A connection that waits neither for the server nor for a lock."""
    connection = psycopg.connect(
        dsn, autocommit=True, application_name="rubi health", **kept_alive(dsn)
    )
    connection.execute("SET timezone = 'UTC'; SET statement_timeout = '30s'; SET lock_timeout = 0")
    (now,) = connection.execute("SELECT extract(epoch FROM clock_timestamp())").fetchone()
    if abs(ahead := float(now) - time()) > 60:
        screen.print(
            f"warning: the server's clock is {ahead:+.0f} s from this machine's: one of them is"
            " wrong, and ages of what terminals tell with it"
        )
    return connection


def checks(connection: psycopg.Connection, names: list[str]) -> list[dict[str, Any]]:
    """Rows of monitoring.health, the worst first. Raises Failure for a name it does not have."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(QUERY, {"names": names, "order": list(ORDER)}).fetchall()
    if missing := set(names) - {row["name"] for row in rows}:
        raise Failure(f"no check is named {', '.join(sorted(missing))}")
    return rows


def sample(connection: psycopg.Connection, every: float, seconds: float) -> None:
    """Take a sample each so many seconds; with seconds, no longer than that.

    A server in trouble loses samples, it is not asked again and again. Between two samples no
    transaction is open: a sleeping one would keep dead rows.
    """
    connection.execute("SET default_transaction_read_only = off; SET statement_timeout = '5s'")
    due = monotonic()
    end = due + seconds
    while True:
        try:
            connection.execute("SELECT monitoring.take_sample()")
        except (errors.LockNotAvailable, errors.QueryCanceled) as error:
            console.print(f"no sample: {error.diag.message_primary}", markup=False)
        due += every * max(1, -((due - monotonic()) // every))
        if seconds and due >= end:
            return
        sleep(max(0, due - monotonic()))


def incident(connection: psycopg.Connection, begin: str, end: str, as_json: bool) -> Any:
    """The page about a time, or its JSON."""
    before = connection.execute("SELECT %s::timestamptz < %s::timestamptz", [begin, end])
    if before.fetchone() != (True,):
        raise Failure(f"{begin} is not before {end}: give the earlier time first", 2)
    called = "incident_json" if as_json else "incident"
    query = sql.SQL("SELECT monitoring.{}(%s::timestamptz, %s::timestamptz)").format(
        sql.Identifier(called)
    )
    return connection.execute(query, [begin, end]).fetchone()[0]


def worst(rows: list[dict[str, Any]]) -> str:
    """The status that counts."""
    return min((row["status"] for row in rows), key=ORDER.index)


def figure(value: Decimal | None, unit: str | None) -> str:
    """A value with its unit, bytes as people read them."""
    if value is None:
        return "-"
    number = float(value)
    if unit and unit.startswith("bytes"):
        prefixes = ["B", "kB", "MB", "GB", "TB"]
        while abs(number) >= 1024 and len(prefixes) > 1:
            number /= 1024
            prefixes.pop(0)
        return f"{number:.4g} {prefixes[0]}{unit[5:]}"
    return f"{value.normalize():f} {unit or ''}".rstrip()


def show(rows: list[dict[str, Any]]) -> None:
    """A table of all checks, then what to do about those that are not ok."""
    table = Table(box=None, pad_edge=False)
    for name in ("check", "status", "value", "warning", "critical", "detail"):
        table.add_column(name, no_wrap=name != "detail")
    for row in rows:
        table.add_row(
            row["name"],
            f"[{STYLES[row['status']]}]{row['status']}[/]",
            *(figure(row[key], row["unit"]) for key in ("value", "warning", "critical")),
            escape(row["detail"] or ""),
        )
    if console.is_terminal:
        print_table(table, "detail")
    else:
        # a line a check for grep; print() would take the lesser of its width and the console's
        console.width = PIPE_WIDTH
        with console.capture() as text:
            console.print(table)
        console.print("\n".join(line.rstrip() for line in text.get().splitlines()))
    for row in rows:
        if row["status"] != "ok":
            console.print(f"\n{row['name']}: {row['meaning']}", markup=False)
            console.print(f"  {row['action']}", markup=False)


def where(detail: str | None) -> str:
    """The trouble, short; a bar or a line's end would begin Nagios' figures."""
    words = " ".join((detail or "").replace("|", "/").split())
    return f" ({words if len(words) <= 100 else words[:97] + '...'})" if words else ""


def nagios(rows: list[dict[str, Any]]) -> str:
    """A line with the worst checks, then performance data."""
    bad = [row for row in rows if row["status"] != "ok"]
    said = ", ".join(
        f"{row['name']} {row['status']} {figure(row['value'], row['unit'])}{where(row['detail'])}"
        for row in bad
    )
    data = " ".join(
        f"{row['name']}={row['value']};"
        f"{'' if row['warning'] is None else row['warning']};"
        f"{'' if row['critical'] is None else row['critical']}"
        for row in rows
        if row["value"] is not None
    )
    return f"RUBI {worst(rows).upper()} - {said or f'{len(rows)} checks ok'} | {data}"


def plain(value: object) -> object:
    """Numbers for JSON."""
    return float(value) if isinstance(value, Decimal) else value
