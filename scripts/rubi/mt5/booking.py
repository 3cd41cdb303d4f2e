"""Books a trade history report: account, orders, deals, positions, the terminal's results.

Rows go to the ingest functions batch by batch, those of dumps too, and outcomes are counted.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from rubi import server_clock
from rubi.cli import Failure
from rubi.mt5.report import Report

BATCH = 1000
COUNTS = ("inserted", "updated", "unchanged", "rejected")
MODES = {0: "netting", 1: "exchange", 2: "hedging"}
KINDS = {0: "demo", 1: "contest", 2: "real"}


class Load:
    def __init__(self, name: str, kind: str, rows: list[Any], source: str = "api") -> None:
        self.name, self.kind, self.rows, self.source = name, kind, rows, source
        self.counts: Counter[str] = Counter()


def send(
    connection: psycopg.Connection, load: Load, account: int, taken_at: datetime
) -> Iterator[int]:
    """Send one load in batches; yields the number of elements sent."""
    # all positions are a single picture: each part of one would close the other positions
    size = len(load.rows) or 1 if load.kind == "positions" else BATCH
    last = load.source if load.kind in ("deals", "orders") else taken_at
    for first in range(0, max(len(load.rows), 1), size):
        batch = load.rows[first : first + size]
        query = f"SELECT * FROM ingest_mt5_{load.kind}(%s, %s, %s)"  # noqa: S608  a name of ours
        row = connection.execute(query, [account, Jsonb(batch), last]).fetchone()
        load.counts.update(dict(zip(COUNTS, row, strict=True)))
        yield len(batch)


def stored(loads: list[Load]) -> int:
    return sum(load.counts[name] for load in loads for name in ("inserted", "updated", "unchanged"))


def rejected(loads: list[Load]) -> int:
    return sum(load.counts["rejected"] for load in loads)


def reasons(connection: psycopg.Connection, account: int, number: int = 3) -> list[str]:
    """The latest reasons why elements of an account were set aside."""
    return [
        f"{source}: {reason} ({count:,} times)"
        for source, reason, count in connection.execute(
            "SELECT r.source, r.reason, count(*) FROM mt5_rejects AS r WHERE r.account_id = %s"
            " GROUP BY r.source, r.reason ORDER BY max(r.id) DESC LIMIT %s",
            [account, number],
        )
    ]


@dataclass
class Outcome:
    account: int
    number: str
    clock: str
    loads: list[Load]
    given: int = 0
    equal: int = 0
    without: int = 0
    differences: list[str] = field(default_factory=list)
    is_new: bool = False


def money(deal: dict[str, Any]) -> Decimal:
    return sum(
        (Decimal(str(deal.get(name, 0))) for name in ("profit", "commission", "fee", "swap")),
        Decimal(0),
    )


def moves_balance(deal: dict[str, Any]) -> bool:
    return deal["type"] not in (3, 20)  # credit


def net(report: Report) -> Decimal:
    return sum((money(deal) for deal in report.deals if deal["type"] in (0, 1)), Decimal(0))


def balances(report: Report) -> tuple[Decimal | None, Decimal | None]:
    """Balance before the first deal and after the last; None where the report has none."""
    if not report.deals or "balance" not in report.deals[0]:
        return None, None
    first, last = report.deals[0], report.deals[-1]
    before = Decimal(str(first["balance"])) - (money(first) if moves_balance(first) else 0)
    return before, Decimal(str(last["balance"]))


def differences(report: Report) -> list[str]:
    """Differences between the sums of a report's rows and its own totals."""
    said = []
    for name in ("commission", "fee", "swap", "profit"):
        if name in report.totals:
            total = sum((Decimal(str(deal.get(name, 0))) for deal in report.deals), Decimal(0))
            if total != Decimal(str(report.totals[name])):
                said.append(
                    f"{name} of the deals is {total}, the report says {report.totals[name]}"
                )
    before, after = balances(report)
    if before is not None:
        moved = sum((money(deal) for deal in report.deals if moves_balance(deal)), Decimal(0))
        if before + moved != after:
            said.append(f"the deals end at a balance of {before + moved}, the report says {after}")
        told = report.figures.get("balance")
        if told is not None and Decimal(told) != after:
            said.append(f"the balance is {told} now, {after} after the last deal: later deals miss")
    return said


def digits(report: Report) -> int:
    """Decimals of the account's currency: 2 unless money has none, or more."""
    most = max(
        -Decimal(str(deal[name])).normalize().as_tuple().exponent
        for deal in report.deals
        for name in ("profit", "commission", "swap", "fee")
        if name in deal
    )
    return 0 if most <= 0 else min(max(most, 2), 8)


def latest_msc(report: Report) -> int:
    """The last millisecond of the latest deal's second, on the server's clock."""
    return max(deal["time"] for deal in report.deals) * 1000 + 999


def state(report: Report) -> dict[str, Any]:
    """The answer that account_info would give after the report's last deal."""
    figures, (_, after) = report.figures, balances(report)
    account = {
        name: report.account[name]
        for name in ("login", "name", "currency", "server", "company", "trade_mode", "margin_mode")
        if name in report.account
    }
    balance = float(after if after is not None else figures.get("balance", 0))
    account |= {"balance": balance, "equity": balance}
    if float(figures.get("balance", "nan")) == balance:
        # open positions are those of the report's time
        for name, source in (
            ("equity", "equity"), ("credit", "credit"), ("margin", "margin"),
            ("margin_free", "margin_free"), ("margin_level", "margin_level"),
            ("profit", "floating"),
        ):  # fmt: skip
            if source in figures:
                account[name] = float(figures[source])
    if digits(report) > 2:
        account["currency_digits"] = digits(report)
    return account


def find_account(
    connection: psycopg.Connection, report: Report, owner: int | None, account: int
) -> int | None:
    """The account's id where it is known. Raises Failure where it differs from the report."""
    head = report.account
    rows = connection.execute(
        "SELECT a.id, a.user_id, a.server, a.account_number, a.currency, a.trade_mode,"
        " a.margin_mode FROM mt5_accounts AS a WHERE a.id = %(id)s OR (%(id)s = 0"
        " AND a.server = %(server)s AND a.account_number = %(login)s::text"
        " AND a.user_id = coalesce(%(owner)s, a.user_id))",
        {"id": account, "server": head["server"], "login": head["login"], "owner": owner},
    ).fetchall()
    if len(rows) > 1:
        raise Failure(f"{report.name}: several users have this account: name one with --user", 2)
    if not rows:
        if account:
            raise Failure(f"there is no account {account}")
        return None
    found, user, server, number, currency, kind, mode = rows[0]
    if owner is not None and owner != user:
        raise Failure(f"{report.name}: account {found} belongs to another user than --user")
    for what, ours, theirs in (
        ("account", number, str(head["login"])),
        ("server", server, head["server"]),
        ("currency", currency, head["currency"]),
        ("kind", KINDS.get(kind), KINDS.get(head.get("trade_mode"))),
        ("way of positions", MODES.get(mode), MODES.get(head.get("margin_mode"))),
    ):
        if ours and theirs and ours.strip() != theirs.strip():
            raise Failure(f"{report.name} is of {what} {theirs}, account {found} has {ours}")
    return found


def book(
    connection: psycopg.Connection, report: Report, owner: int | None, account: int, clock: str
) -> Outcome:
    """Book a report within a transaction. Raises Failure; then the caller must roll back."""
    head = report.account
    found = find_account(connection, report, owner, account)
    if found is None and owner is None:
        raise Failure(
            f"{report.name} is of account {head['login']} at {head['server']}, which is new: name"
            " its owner with --user",
            code=2,
        )
    said = server_clock.settle(connection, head["server"], clock)
    last_msc = latest_msc(report)
    taken_at = connection.execute(
        "SELECT least(utc, now()) FROM mt5_server_time(%s, %s)", [head["server"], last_msc]
    ).fetchone()[0]
    if found is None:
        owner_id = owner
    else:
        owner_id = connection.execute(
            "SELECT user_id FROM mt5_accounts WHERE id = %s", [found]
        ).fetchone()[0]
    made = connection.execute(
        "SELECT ingest_mt5_account(%s, %s, %s)", [owner_id, Jsonb(state(report)), taken_at]
    ).fetchone()[0]
    loads = [
        Load(report.name, "orders", report.orders, "report"),
        Load(report.name, "deals", report.deals, "report"),
    ]
    for load in loads:
        for _ in send(connection, load, made, taken_at):
            pass
    outcome = Outcome(made, str(head["login"]), said, loads, is_new=found is None)
    finish(connection, report, outcome, last_msc)
    return outcome


def finish(connection: psycopg.Connection, report: Report, outcome: Outcome, last_msc: int) -> None:
    """Positions, balances and figures; then ours against the terminal's."""
    before, after = balances(report)
    row, _, outcome.without = connection.execute(
        "SELECT report_id, positions, deals_without_position FROM ingest_mt5_report(%s, %s)",
        [
            outcome.account,
            Jsonb({
                "first_msc": min(deal["time"] for deal in report.deals) * 1000,
                "last_msc": last_msc,
                "made_msc": None if report.made is None else report.made * 1000,
                "deals": len(report.deals),
                "opening_balance": None if before is None else str(before),
                "closing_balance": None if after is None else str(after),
                "figures": report.figures,
                "positions": report.positions,
                "open_positions": report.open_positions,
            }),
        ],
    ).fetchone()  # fmt: skip
    outcome.differences = differences(report)
    for figure, given, value, is_equal in connection.execute(
        "SELECT figure, given, value, is_equal FROM mt5_report_figures WHERE report_id = %s", [row]
    ):
        outcome.given += 1
        outcome.equal += is_equal
        if not is_equal:
            ours = "none" if value is None else f"{value:.6f}"
            outcome.differences.append(f"{figure}: the report says {given}, ours is {ours}")
