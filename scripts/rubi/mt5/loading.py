"""Loads reports and dumps of MT5 into the database, and prints the outcome."""

import shlex
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import psycopg
from psycopg.types.json import Jsonb
from rich.progress import Progress

from rubi import server_clock
from rubi.cli import Failure, console, errors
from rubi.mt5 import booking
from rubi.mt5.booking import COUNTS, Load, send
from rubi.mt5.cells import decode
from rubi.mt5.dumps import ORDER, read_json
from rubi.mt5.report import Report, read_report
from rubi.mt5.words import Words


def is_json(path: Path) -> bool:
    """Whether a file's first sign begins JSON; reports and CSV begin with others."""
    with path.open("rb") as file:
        start = decode(file.read(256)).lstrip("\ufeff \t\r\n")
    return start[:1] in ("[", "{") or start.strip() in ("", "null")


def read(path: Path, kind: str | None, words: Words) -> list[Load] | Report:
    """The contents of a file: a report, or rows by kind. Raises Failure for any other file."""
    if path.is_dir():
        raise Failure(f"{path} is a folder: name its files, such as {path}/*.xlsx")
    if not path.is_file():
        raise Failure(f"{path} is no file")
    if path.read_bytes()[:2] != b"PK" and is_json(path):
        return [Load(str(path), name, rows) for name, rows in read_json(path, kind)]
    return read_report(path, words)


def user_id(connection: psycopg.Connection, user: str) -> int:
    row = connection.execute("SELECT user_id FROM find_user(%s)", [user]).fetchone()
    if not row:
        raise Failure(
            f"there is no user {user}: docs/guides/my-trades.md has the statement that makes one"
        )
    return row[0]


def send_account(
    connection: psycopg.Connection, found: Load, owner: int, taken_at: datetime
) -> int:
    account = 0
    for state in found.rows:
        account = connection.execute(
            "SELECT ingest_mt5_account(%s, %s, %s)", [owner, Jsonb(state), taken_at]
        ).fetchone()[0]
        found.counts["updated"] += 1
    return account


class Loader:
    def __init__(
        self, connection: psycopg.Connection, user: str, account: int, clock: str,
        taken_at: datetime | None, dsn: str,
    ) -> None:  # fmt: skip
        self.connection, self.account, self.clock = connection, account, clock
        self.given, self.dsn = taken_at, dsn
        self.owner = user_id(connection, user) if user else None
        self.rejected = 0
        self.said = ""

    def keep(self, account: int, name: str, loads: list[Load]) -> None:
        """Say why rows were set aside. Raise Failure where none was stored: then none is kept."""
        if not booking.rejected(loads):
            return
        self.rejected += booking.rejected(loads)
        said = "; ".join(booking.reasons(self.connection, account))
        if not booking.stored(loads):
            raise Failure(f"{name}: no row could be stored, the file is not kept: {said}")
        errors.print(f"{name}: rows were set aside in mt5_rejects: {said}")

    def book(self, report: Report) -> None:
        """Store a report and print the findings."""
        with self.connection.transaction():
            outcome = booking.book(self.connection, report, self.owner, self.account, self.clock)
            self.keep(outcome.account, report.name, outcome.loads)
            clock = server_clock.look_at_bars(
                self.connection, outcome.account, report.account["server"]
            )
        show(outcome.loads)
        tell(report, outcome, clock)
        tell_next(self.connection, outcome, report, self.dsn)

    def load(self, loads: list[Load], progress: Progress) -> None:
        """Store the package's answers in the order of their dependencies."""
        with self.connection.transaction():
            account = self.account
            for found in sorted(loads, key=lambda load: ORDER.index(load.kind)):
                age = datetime.fromtimestamp(Path(found.name).stat().st_mtime, UTC)
                when = self.given or min(age, datetime.now(UTC))
                if found.kind == "account":
                    account = send_account(self.connection, found, self.owner, when)
                    continue
                if found.kind != "symbols" and found.rows:
                    self.settle(account)
                task = progress.add_task(f"{found.name} {found.kind}", total=len(found.rows))
                for count in send(self.connection, found, account, when):
                    progress.advance(task, count)
            rows = [load for load in loads if load.kind != "account"]
            self.keep(account, ", ".join(dict.fromkeys(load.name for load in rows)), rows)
            if any(load.kind == "deals" for load in rows):
                server_clock.look_at_bars(self.connection, account, "the server")
        show(loads)

    def settle(self, account: int) -> None:
        """Print the clock that reads the account's times."""
        row = self.connection.execute(
            "SELECT a.server FROM mt5_accounts AS a WHERE a.id = %s", [account]
        ).fetchone()
        if not row:
            raise Failure(f"there is no account {account}")
        clock = server_clock.settle(self.connection, row[0], self.clock)
        said = f"times are read by the clock of {row[0]}: {clock}"
        if said != self.said:
            self.said = said
            console.print(said)


def show(loads: list[Load]) -> None:
    """The outcome of rows, a line for each kind of each file; names are never cut."""
    for found in loads:
        counts = ", ".join(f"{found.counts[name]:,} {name}" for name in COUNTS)
        console.print(f"{found.name}: {found.kind}: {counts}")


def tell(report: Report, outcome: booking.Outcome, clock: str) -> None:
    """The contents of a report and whether they add up, a fact a line."""
    first, last = (
        f"{datetime.fromtimestamp(pick(deal['time'] for deal in report.deals), UTC):%Y-%m-%d %H:%M}"
        for pick in (min, max)
    )
    head = report.account

    def spell(money: Decimal | None) -> str:
        text = "unknown" if money is None else f"{money:,.{booking.digits(report)}f}"
        return f"{text} {head['currency']}"

    kinds = Counter(deal["type"] in (0, 1) for deal in report.deals)
    lines = [
        f"account {head['login']} at {head['server']} ({head.get('company')}), {head['currency']}"
        f"{', opened' if outcome.is_new else ''}, account_id {outcome.account}",
        f"period {first} to {last} on the server's clock, which is {outcome.clock}",
        f"{kinds[True]:,} deals of trades, {kinds[False]:,} other movements,"
        f" {len(report.positions):,} positions closed, {len(report.open_positions):,} open",
        f"net {spell(booking.net(report))}, balance {spell(booking.balances(report)[1])}",
    ]
    if clock:
        lines.append(clock)
    if outcome.without:
        lines.append(
            f"{outcome.without:,} deals have no position: the report doesn't tell, the API's would"
        )
    if not outcome.differences:
        figures = f", {outcome.given} of its own results" if outcome.given else ""
        lines.append(f"equal to the report's totals{figures}")
    for line in lines:
        console.print(line)
    for line in outcome.differences:
        console.print(f"DIFFERS {line}", style="bold")


def tell_next(
    connection: psycopg.Connection, outcome: booking.Outcome, report: Report, dsn: str
) -> None:
    """The next command to type; a connection string may hold a password and is left out."""
    owner = connection.execute(
        "SELECT u.username FROM mt5_accounts AS a INNER JOIN users AS u ON a.user_id = u.id"
        " WHERE a.id = %s",
        [outcome.account],
    ).fetchone()[0]
    console.print(
        f"next: .venv/bin/python scripts/report.py --user {shlex.quote(owner)}"
        f" --account {outcome.account}"
        f" --out {report.account['login']}.html{' --dsn …' if dsn else ''}"
    )
