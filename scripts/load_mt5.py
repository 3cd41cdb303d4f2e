"""Loads dumps of the MetaTrader5 package's calls, and trade history reports, into the database.

FILES are JSON or JSON Lines of account_info, history_deals_get, history_orders_get, orders_get,
positions_get or symbols_get (each tuple as _asdict()), or the terminal's report as xlsx or html, in
English or French. What a file holds is told from its fields. Loading again changes nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from psycopg.types.json import Jsonb
from rich.progress import Progress
from rich.table import Table

from cli import Failure, console, new_app, run
from mt5_report import read_report

BATCH = 1000
# a field that only this call returns
MARKS = {
    "account": "login",
    "symbols": "trade_contract_size",
    "orders": "volume_initial",
    "deals": "entry",
    "positions": "identifier",
}
ORDER = ("account", "symbols", "orders", "deals", "positions")
COUNTS = ("inserted", "updated", "unchanged", "rejected")


class Load:
    """One kind of rows of one file."""

    def __init__(
        self, path: Path, kind: str, rows: list[Any], source: str = "api", number: str | None = None
    ) -> None:
        self.path, self.kind, self.rows, self.source = path, kind, rows, source
        self.account_number = number
        self.counts: Counter[str] = Counter()


def clean(value: Any) -> Any:
    """Replace what jsonb can't hold: NUL characters and lone surrogates."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, dict):
        return {clean(name): clean(item) for name, item in value.items()}
    return value


def read_json(path: Path) -> list[Any]:
    """All elements of a JSON or JSON Lines file. NaN becomes a text, which is then rejected."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Failure(f"{path.name} is no UTF-8 text: {error}") from error
    elements: list[Any] = []
    try:
        whole = json.loads(text, parse_constant=str)
        elements = whole if isinstance(whole, list) else [whole]
    except json.JSONDecodeError:
        for line_number, line in enumerate(text.splitlines(), 1):
            try:
                if line.strip():
                    elements.append(json.loads(line, parse_constant=str))
            except json.JSONDecodeError as error:
                raise Failure(f"{path.name}:{line_number}: no JSON: {error}") from error
    except RecursionError as error:
        raise Failure(f"{path.name}: nested too deeply") from error
    if "\\u" in text or "\0" in text:
        elements = clean(elements)
    return elements


def kind_of(element: Any) -> str | None:
    """Which call returned an element."""
    if isinstance(element, dict):
        for kind, mark in MARKS.items():
            if mark in element:
                return kind
    return None


def read(path: Path, kind: str | None) -> list[Load]:
    """What a file holds, by kind."""
    if not path.is_file():
        raise Failure(f"{path} is no file")
    with path.open("rb") as file:
        start = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:2] in (b"PK", b"\xff\xfe", b"\xfe\xff") or start[:1] == b"<":
        report = read_report(path)
        console.print(f"{path.name}: report in {report.language}", markup=False)
        return [
            Load(path, "orders", clean(report.orders), "report", report.account_number),
            Load(path, "deals", clean(report.deals), "report", report.account_number),
        ]
    elements = read_json(path)
    if len(elements) == 1 and isinstance(elements[0], dict) and kind_of(elements[0]) is None:
        parts = {name: rows for name, rows in elements[0].items() if name in ORDER}
        if parts:
            return [
                Load(path, name, rows if isinstance(rows, list) else [rows])
                for name, rows in parts.items()
            ]
    if kind:
        return [Load(path, kind, elements)]
    grouped: dict[str, list[Any]] = {}
    kinds = [kind_of(element) for element in elements]
    default = next((k for k in kinds if k), None)
    if default is None:
        raise Failure(f"{path.name}: can't tell what it holds: name it with --kind")
    for element, found in zip(elements, kinds, strict=True):
        grouped.setdefault(found or default, []).append(element)
    return [Load(path, name, rows) for name, rows in grouped.items()]


def user_id(connection: psycopg.Connection, user: str) -> int:
    """A user's id from id, email or username."""
    row = connection.execute(
        "SELECT u.id FROM users AS u WHERE u.id::text = %(u)s OR lower(u.email) = lower(%(u)s)"
        " OR lower(u.username) = lower(%(u)s) ORDER BY (u.id::text = %(u)s) DESC LIMIT 1",
        {"u": user},
    ).fetchone()
    if not row:
        raise Failure(f"there is no user {user}")
    return row[0]


def send_account(connection: psycopg.Connection, found: Load, user: str, taken_at: datetime) -> int:
    """Send account_info; answers the account's id."""
    owner = user_id(connection, user)
    account = 0
    for state in found.rows:
        account = connection.execute(
            "SELECT ingest_mt5_account(%s, %s, %s)", [owner, Jsonb(state), taken_at]
        ).fetchone()[0]
        found.counts["updated"] += 1
    return account


def send(connection: psycopg.Connection, load: Load, account: int, taken_at: datetime) -> Any:
    """Send one load in batches; yields the number of elements sent."""
    # positions are one picture: in pieces, each piece would close the others
    size = len(load.rows) or 1 if load.kind == "positions" else BATCH
    last = load.source if load.kind in ("deals", "orders") else taken_at
    for first in range(0, max(len(load.rows), 1), size):
        batch = load.rows[first : first + size]
        query = f"SELECT * FROM ingest_mt5_{load.kind}(%s, %s, %s)"  # noqa: S608  a name of ORDER
        row = connection.execute(query, [account, Jsonb(batch), last]).fetchone()
        load.counts.update(dict(zip(COUNTS, row, strict=True)))
        yield len(batch)


app = new_app(__doc__)


@app.command()
def load(
    files: Annotated[list[Path], typer.Argument(help="dumps and reports", metavar="FILE…")],
    user: Annotated[str, typer.Option(help="owner of the account: id, email or username")] = "",
    account: Annotated[int, typer.Option(help="id in mt5_accounts, without account_info")] = 0,
    kind: Annotated[str, typer.Option(help=f"what JSON files hold: {', '.join(ORDER)}")] = "",
    taken_at: Annotated[
        str, typer.Option(help="when account, positions and symbols were read; else the file's age")
    ] = "",
    dry_run: Annotated[bool, typer.Option(help="count everything, store nothing")] = False,
    dsn: Annotated[str, typer.Option(help="libpq connection string; else PG* variables")] = "",
) -> None:
    """Load FILES into the account that account_info among them names, or into --account."""
    if kind and kind not in ORDER:
        raise typer.BadParameter(f"{kind} is none of {', '.join(ORDER)}", param_hint="--kind")
    try:
        given = datetime.fromisoformat(taken_at) if taken_at else None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--taken-at") from error
    loads = [found for path in files for found in read(path, kind or None)]
    loads.sort(key=lambda found: ORDER.index(found.kind))
    if not account and not any(found.kind == "account" for found in loads):
        raise Failure("which account? name it with --account, or load account_info with --user")
    if any(found.kind == "account" for found in loads) and not user:
        raise Failure("account_info needs its owner: name them with --user")

    with (
        psycopg.connect(dsn, autocommit=True, application_name="rubi load_mt5") as connection,
        connection.transaction(force_rollback=True) if dry_run else nullcontext(),
        Progress(console=console, disable=not console.is_terminal) as progress,
    ):
        for found in loads:
            age = datetime.fromtimestamp(found.path.stat().st_mtime, UTC)
            when = given or min(age, datetime.now(UTC))
            if found.kind == "account":
                account = send_account(connection, found, user, when)
                continue
            check_number(connection, found, account)
            task = progress.add_task(f"{found.path.name} {found.kind}", total=len(found.rows))
            for count in send(connection, found, account, when):
                progress.advance(task, count)
    show(loads, account, dry_run)


def check_number(connection: psycopg.Connection, found: Load, account: int) -> None:
    """A report says whose it is. Raises Failure when it is another account's."""
    number = found.account_number
    row = connection.execute(
        "SELECT a.account_number FROM mt5_accounts AS a WHERE a.id = %s", [account]
    ).fetchone()
    if number and row and row[0] != number:
        raise Failure(f"{found.path.name} is of account {number}, not of {row[0]}")


def show(loads: list[Load], account: int, dry_run: bool) -> None:
    """What came of it, a line for each kind of each file."""
    table = Table("file", "rows of", *COUNTS, box=None)
    for found in loads:
        counts = [str(found.counts[name]) for name in COUNTS]
        table.add_row(found.path.name, found.kind, *counts)
    console.print(table)
    if any(found.counts["rejected"] for found in loads):
        console.print(f"the reasons are in mt5_rejects, account_id {account}")
    if dry_run:
        console.print("dry run: nothing was stored")


if __name__ == "__main__":
    run(app)
