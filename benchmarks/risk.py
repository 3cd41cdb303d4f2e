"""Times risk rules on a server of its own: heartbeats of many accounts evaluated in one call, and
what judging adds to pictures of positions. Writes benchmarks/results/risk.md and risk.json.

Pictures are measured by the processor time of the server's process, in turns of one run: of
accounts with rules, without any, and with the judging function replaced by one that does nothing.
"""

from __future__ import annotations

import json
import statistics
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import psycopg
import typer

import ingest_mt5
import mt5
import pages
import rows
from ingest_mt5 import timed
from rubi.cli import new_app, run, step
from rubi.servers import embedded

KINDS = ("daily_loss", "maximum_loss", "trailing_day", "trailing")
SIZES = (3, 20, 200)
BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
NOTHING = (
    "CREATE OR REPLACE FUNCTION internal.judge_positions(p_account_ids bigint[], p_at timestamptz)"
    " RETURNS bigint LANGUAGE sql VOLATILE PARALLEL UNSAFE"
    " SET search_path = pg_catalog, pg_temp AS 'SELECT 0::bigint'"
)
app = new_app(__doc__)
app.info.no_args_is_help = False


def add_rule(connection: psycopg.Connection, user: int, **values: object) -> None:
    """A rule that is far from broken."""
    rows.insert(
        connection, "risk_rules",
        **{"user_id": user, "name": "r", "clock": "Europe/Prague", "valid_from": BEGIN} | values,
    )  # fmt: skip


def evaluate(connection: psycopg.Connection, accounts: int, rounds: int) -> dict:
    """One heartbeat more of each account, then evaluate_risk(); the first call isn't counted."""
    user = rows.user(connection)
    for login in range(accounts):
        account = mt5.open_account(connection, user, login=100_000 + login, taken_at=BEGIN)
        for kind in KINDS:
            add_rule(
                connection, user, account_id=account, kind=kind, amount=5000, unit="money",
                initial_capital=10000,
            )  # fmt: skip
    connection.execute("SELECT evaluate_risk()")
    connection.execute("ANALYZE")
    taken = {"seconds": [], "processor": 0.0}
    for turn in range(rounds + 1):
        connection.execute(
            "INSERT INTO account_snapshots (session_id, timestamp, balance, equity)"
            " SELECT session_id, %s, 10000, %s FROM mt5_sessions",
            [BEGIN + timedelta(minutes=10 * (turn + 1)), 9990 + turn],
        )
        one = timed(connection, [lambda: connection.execute("SELECT evaluate_risk()")])
        if turn:
            taken["seconds"] += one["seconds"]
            taken["processor"] += one["processor"]
    return taken


def make_accounts(connection: psycopg.Connection) -> dict[str, int]:
    """An account of each sort."""
    user, found = rows.user(connection), {}
    for number, name in enumerate(("not judged", "no rule", "account", "strategy")):
        found[name] = mt5.open_account(connection, user, login=number + 1, taken_at=BEGIN)
    for kind, unit in (("maximum_lots", "lots"), ("maximum_positions", "positions")):
        add_rule(
            connection, user, account_id=found["account"], kind=kind, amount=100_000, unit=unit
        )
    strategy = rows.strategy(connection, user)
    connection.execute(
        "INSERT INTO mt5_magic_strategies (account_id, user_id, magic, strategy_id)"
        " VALUES (%s, %s, 77, %s)",
        [found["strategy"], user, strategy],
    )
    add_rule(
        connection, user, strategy_id=strategy, kind="maximum_positions", amount=100_000,
        unit="positions",
    )  # fmt: skip
    return found


def processor_time(connection: psycopg.Connection) -> int:
    """Nanoseconds that the connection's backend has run: one picture is below a clock tick."""
    return int(Path(f"/proc/{connection.info.backend_pid}/schedstat").read_text().split()[0])


def picture(size: int, turn: int) -> str:
    """Every price has moved."""
    return json.dumps([
        mt5.position(ticket=number, magic=77, price_current=1.1 + turn / 10_000, profit=turn / 10)
        for number in range(1, size + 1)
    ])  # fmt: skip


def show_pictures(
    connection: psycopg.Connection, accounts: dict[str, int], size: int, turns: int
) -> dict[str, list[int]]:
    """Nanoseconds of each picture, the accounts in turn; ten turns before are not counted."""
    query = "SELECT * FROM ingest_mt5_positions(%s, %s::jsonb)"
    taken: dict[str, list[int]] = {name: [] for name in accounts}
    for turn in range(turns + 10):
        shown = picture(size, turn)
        for name, account in accounts.items():
            before = processor_time(connection)
            connection.execute(query, [account, shown])
            if turn >= 10:
                taken[name].append(processor_time(connection) - before)
    return taken


def ingest(connection: psycopg.Connection, rounds: int, turns: int) -> dict[str, dict]:
    """Milliseconds of processor time a picture, the median, by size and sort of account."""
    accounts = make_accounts(connection)
    judging = connection.execute(
        "SELECT pg_get_functiondef('internal.judge_positions(bigint[], timestamptz)'::regprocedure)"
    ).fetchone()[0]
    found = {}
    for size in SIZES:
        taken: dict[str, list[int]] = {name: [] for name in accounts}
        for _ in range(rounds):
            for function in (NOTHING, judging):
                connection.execute(function)
                names = [
                    name for name in accounts if (name == "not judged") == (function is NOTHING)
                ]
                each = {name: accounts[name] for name in names}
                for name, times in show_pictures(connection, each, size, turns).items():
                    taken[name] += times
        found[str(size)] = {name: statistics.median(each) / 1e6 for name, each in taken.items()}
    return found


def report(result: dict) -> str:
    """The page."""
    beats = result["evaluate"]
    seconds = beats["seconds"]
    lines = [
        "# Risk rules",
        "",
        "Made by `benchmarks/risk.py`, one connection over a local socket, JSON made before.",
        "",
        pages.said(result["facts"]),
        *pages.heading("Heartbeats evaluated", "what", "median", "range", "processor time a call"),
        f"| one more of each of {result['accounts']:,} accounts with {len(KINDS)} rules on equity "
        f"| {1000 * statistics.median(seconds):.0f} ms "
        f"| {1000 * min(seconds):.0f} to {1000 * max(seconds):.0f} ms "
        f"| {1000 * beats['processor'] / len(seconds):.0f} ms |",
        *pages.heading(
            "Pictures of positions, processor time of one beside that without rules", "positions",
            "not judged", "no rule",
            "two rules of the account", "a rule of the strategy",
        ),
    ]  # fmt: skip
    for size, taken in result["ingest"].items():
        plain = taken["no rule"]
        cells = [f"{each:.3f} ms ({each / plain - 1:+.1%})" for each in taken.values()]
        lines.append(f"| {size} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


@app.command()
def measure(
    quick: Annotated[bool, typer.Option(help="Few accounts, one round: does it run?")] = False,
    accounts: Annotated[int, typer.Option(min=1, max=10_000)] = 1000,
    rounds: Annotated[int, typer.Option(min=1, max=50)] = 9,
    turns: Annotated[int, typer.Option(min=1, help="Pictures a round.")] = 60,
    pg: Annotated[int, typer.Option(help="Major version.")] = embedded.DEFAULT_MAJOR,
    output: Annotated[Path, typer.Option(help="Folder for risk.md and .json.")] = pages.RESULTS,
) -> None:
    """Start a server, deploy, measure, stop, write."""
    if quick:
        accounts, rounds, turns = 10, 1, 5
    with ingest_mt5.deployed(pg) as connection:
        result = {"facts": pages.facts(connection), "accounts": accounts}
        with step(f"pictures of positions, {rounds} rounds"):
            result["ingest"] = ingest(connection, rounds, turns)
        with step(f"heartbeats of {accounts} accounts"):
            result["evaluate"] = evaluate(connection, accounts, rounds)
    pages.write(output, "risk", report(result), result)


if __name__ == "__main__":
    run(app)
