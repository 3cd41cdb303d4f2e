"""Health of the database: monitoring.health, for people, for programs and for Nagios.

Ask as rubi_monitor. Exit codes are those of Nagios, for the worst check: 0 ok, 1 warning,
2 critical, 3 unknown, also when the database can't be asked.
"""

import json
import sys
from time import sleep
from typing import Annotated

import typer

from rubi.cli import console, new_app, run
from rubi.connecting import Dsn, Json

app = new_app(__doc__)
app.info.no_args_is_help = False
answered = False


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    dsn: Dsn = "",
    check: Annotated[list[str] | None, typer.Option(help="Only this check; repeatable")] = None,
    as_json: Json = False,
    as_nagios: Annotated[bool, typer.Option("--nagios", help="Print one line for Nagios")] = False,
    watch: Annotated[
        float, typer.Option(min=0, help="Ask again each so many seconds, until interrupted")
    ] = 0,
) -> None:
    """Print the checks; the worst decides the exit code."""
    global answered
    if context.invoked_subcommand:
        return
    from rubi import health_checks as health

    with health.connect(dsn) as connection:
        while True:
            rows = health.checks(connection, check or [])
            if watch and console.is_terminal:
                console.clear()
            if as_json:
                print(json.dumps(rows, default=health.plain), flush=True)
            elif as_nagios:
                print(health.nagios(rows), flush=True)
            else:
                health.show(rows)
            answered = True
            if not watch:
                break
            sleep(watch)
    raise typer.Exit(health.CODES[health.worst(rows)])


@app.command()
def record(dsn: Dsn = "") -> None:
    """Write down today's sizes and what the proofs say; to be run hourly or daily."""
    from rubi import health_checks as health

    with health.connect(dsn) as connection:
        connection.execute("SET default_transaction_read_only = off; SET statement_timeout = 0")
        violations = connection.execute("SELECT monitoring.take_readings()").fetchone()[0]
    console.print(f"recorded; {violations} rows contradict a proof")


@app.command()
def sample(
    dsn: Dsn = "",
    every: Annotated[float, typer.Option(min=1, max=60, help="Seconds between two samples")] = 5,
    seconds: Annotated[
        float, typer.Option("--for", min=0, help="End after so many seconds; 0: never")
    ] = 0,
) -> None:
    """Write down what the sessions do, for monitoring.incident(); one process is enough."""
    from rubi import health_checks as health

    with health.connect(dsn) as connection:
        health.sample(connection, every, seconds)


@app.command()
def incident(
    begin: Annotated[str, typer.Argument(metavar="FROM", help="Time, UTC: 2026-11-28 02:55")],
    end: Annotated[str, typer.Argument(metavar="UNTIL", help="Time after it")],
    dsn: Dsn = "",
    as_json: Json = False,
) -> None:
    """Print one page about a past time: what happened at three."""
    from rubi import health_checks as health

    with health.connect(dsn) as connection:
        found = health.incident(connection, begin, end, as_json)
    print(json.dumps(found) if as_json else found)


if __name__ == "__main__":
    try:
        run(app)
    except SystemExit as end:
        # a failure or wrong usage is no answer, a signal is neither
        failed = not answered and end.code and end.code < 128
        if failed and "--nagios" in sys.argv:  # which reads standard output only
            print("RUBI UNKNOWN - the database could not be asked: see standard error")
        sys.exit(3 if failed else end.code)
