"""Entries, tags and answers of the journal, and results by them."""

from __future__ import annotations

from typing import Any

import psycopg

import rows
from mt5 import OUT, SELL, deal


def entry(connection: psycopg.Connection, user: int, **values: Any) -> int:
    return rows.insert(connection, "journal_entries", user_id=user, **values)


def tag(connection: psycopg.Connection, user: int, name: str, kind: str = "setup") -> int:
    return rows.insert(connection, "journal_tags", user_id=user, kind=kind, name=name)


def set_tag(connection: psycopg.Connection, user: int, of: int, which: int) -> int:
    return rows.insert(connection, "journal_entry_tags", user_id=user, entry_id=of, tag_id=which)


def answer(connection: psycopg.Connection, user: int, of: int, question: int, kept: bool) -> int:
    return rows.insert(
        connection, "journal_answers", user_id=user, entry_id=of, question_id=question,
        is_kept=kept,
    )  # fmt: skip


def round_trip(position: int, opened: str, closed: str, profit: float) -> list[dict[str, Any]]:
    """Deals of a position that was bought and sold; times on the server's clock, UTC+2."""
    return [
        deal(opened, ticket=position, order=position, position_id=position),
        deal(closed, ticket=position + 1, order=position + 1, position_id=position, type=SELL,
             entry=OUT, profit=profit),
    ]  # fmt: skip


def results(db: psycopg.Connection, view: str, *columns: str) -> list[tuple]:
    """Rows of a view of results; means with two decimals."""
    return db.execute(
        f"SELECT {', '.join(columns)}, scope, currency, trades, winning_trades, losing_trades,"
        f" round(win_rate, 2), net_profit, round(average_profit, 2) FROM {view}"
        f" ORDER BY {', '.join(columns)}, scope, currency"
    ).fetchall()
