"""Rules with the room left, and results by tag: what a trader may do, and why trades were made."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby

import psycopg

from rubi.queries import queries
from rubi.reporting.figures import Report
from rubi.reporting.scope import Row, of_trades, rows
from rubi.reporting.wording import Writer, moment

SQL = queries(__file__)
FRESH = timedelta(minutes=5)  # a heartbeat younger than this is now
ASKED = ("profit_target", "trading_days")  # to be reached; all others are limits
# kind of a rule: kind of its figures, and what it asks for with its limit
RULES = {
    "daily_loss": ("money", "Equity stays above {} today"),
    "maximum_loss": ("money", "Equity stays above {}"),
    "trailing_day": ("money", "Equity stays above {}, which rises by day"),
    "trailing": ("money", "Equity stays above {}, which rises with it"),
    "profit_target": ("money", "To be reached: {}"),
    "trading_days": ("count", "Trading days to be reached: {}"),
    "consistency": ("percent", "The best day has at most {} of the profit"),
    "maximum_lots": ("lots", "Lots open together: at most {}"),
    "maximum_positions": ("count", "Positions open together: at most {}"),
    "no_weekend": ("count", "Nothing is open over the weekend"),
}
# status: its class and its words
STATES = {
    "ok": ("good", "✓ kept"),
    "reached": ("good", "✓ reached"),
    "open": ("open", "… open"),
    "warning": ("open", "! close"),
    "stale": ("open", "? stale"),
    "unknown": ("open", "? unknown"),
    "broken": ("bad", "✗ broken"),
}


def room_in_words(row: Row, say: Callable[[Decimal], str]) -> str:
    """What is left before a rule is broken, or missing to what it asks for."""
    room = row["room"]
    if room is None or row["kind"] == "no_weekend":
        return ""
    if row["kind"] in ASKED:
        return f"{say(room)} missing" if room > 0 else f"{say(-room)} more than asked"
    if room < 0:
        return f"{say(-room)} beyond"
    # equity came back, the rule doesn't
    return f"{say(room)} left" + (" now" if row["status"] == "broken" else "")


def notes_of(row: Row, say: Callable[[Decimal], str], made_at: datetime) -> list[str]:
    """The worst so far, what stops would do, and how old a silent account's word is."""
    notes = []
    if row["worst_room"] is not None:
        what = "Closest so far" if row["kind"] in ASKED else "Least room so far"
        notes.append(f"{what}: {say(row['worst_room'])}, {moment(row['worst_at'])} UTC.")
    if row["projected_room"] is not None and row["projected_room"] != row["room"]:
        after = row["projected_room"]
        what = f"{say(-after)} beyond" if after < 0 else f"{say(after)} left"
        notes.append(f"{what} if every stop were hit now.")
    if row["as_of"] and made_at - row["as_of"] > FRESH:
        notes.append(f"As of {moment(row['as_of'])} UTC.")
    return notes


def rule_in_words(row: Row, write: Writer, made_at: datetime) -> Row:
    """Limit, value and room of a rule with their units; used: percent, None without a share."""
    kind, asks = RULES[row["kind"]]
    unit = f" {row['currency']}" if kind == "money" and row["currency"] else ""

    def say(value: Decimal | None) -> str:
        return f"{write(value, kind)}{unit}"

    state, text = STATES[row["status"]]
    share = row["share_used"]
    return {
        "key": row["rule_id"], "name": row["name"], "state": state, "state_text": text,
        "of": f"strategy {row['strategy']}" if row["strategy"]
              else f"account {row['account_number']}",
        "asks": asks.format(say(row["level"])), "value": say(row["value"]),
        "left": room_in_words(row, say), "forbids": row["forbids_trading"],
        "used": None if share is None else round(100 * min(max(share, 0), 1)),
        "notes": notes_of(row, say, made_at),
    }  # fmt: skip


def tag_name(row: Row) -> str:
    """Kind and word of a tag; of a day where the day has it."""
    return f"{row['kind']}: {row['name']}" + (" (day)" if row["scope"] == "day" else "")


def checklist(answers: list[Row]) -> list[tuple[str, list[Row]]]:
    """Questions with their rows, kept before broken."""
    return [
        (found[0]["question"], found)
        for found in (list(group) for _, group in groupby(answers, lambda row: row["id"]))
    ]


def read_risk(connection: psycopg.Connection, report: Report) -> None:
    """Add rules, tags and checklist to a report."""
    parameters = report.scope.parameters()
    report.rules = rows(connection, SQL.RULES, parameters)
    report.tags = [
        row | {"key": tag_name(row)} for row in rows(connection, of_trades(SQL.TAGS), parameters)
    ]
    report.checklist = rows(connection, of_trades(SQL.CHECKLIST), parameters)
