"""The scope of a report, user and period: names and days of the command line looked up."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from rubi.cli import Failure
from rubi.queries import queries

SQL = queries(__file__)

Row = dict[str, Any]


@dataclass(frozen=True)
class Scope:
    """The user and the period of a report. Times are UTC; end is the first moment after."""

    user_id: int
    user: str
    strategy_id: int | None
    strategy: str | None
    account_id: int | None
    account: str | None
    start: datetime
    end: datetime
    currency: str | None = None

    def parameters(self, **more: Any) -> Row:
        names = ("user_id", "strategy_id", "account_id", "start", "end", "currency")
        return {name: getattr(self, name) for name in names} | more


def rows(connection: psycopg.Connection, query: str, parameters: Row) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, parameters).fetchall()


TRADES = SQL.TRADES


def of_trades(statement: str, trades: str = TRADES) -> str:
    """A statement that reads the relation trades, with that relation before it."""
    between = ", " if statement.startswith("WITH ") else "\n"
    return f"WITH trades AS (\n{trades}\n){between}{statement.removeprefix('WITH ')}"


def find_user(connection: psycopg.Connection, wanted: str) -> tuple[int, str]:
    """Id and username of a user named by id, e-mail address or username."""
    found = connection.execute("SELECT * FROM public.find_user(%s)", [wanted]).fetchone()
    if not found:
        raise Failure(f"no user {wanted}: give a username, an e-mail address or an id")
    return found


def find_one(
    connection: psycopg.Connection, table: str, name: str, user_id: int, wanted: str | None
) -> tuple[int | None, str | None]:
    """Id and name of a user's strategy or account, named by either; none where none is wanted."""
    if wanted is None:
        return None, None
    found = connection.execute(
        sql.SQL(
            "SELECT id, {name} FROM public.{table}"
            " WHERE user_id = %(user)s AND (id::text = %(text)s OR {name} = %(text)s)"
        ).format(name=sql.Identifier(name), table=sql.Identifier(table)),
        {"user": user_id, "text": wanted},
    ).fetchall()
    if len(found) != 1:
        what, by = {"name": ("strategy", "name"), "account_number": ("account", "number")}[name]
        problem = f"{len(found)} of" if found else "no"
        raise Failure(f"{problem} {what} {wanted} of that user: give its {by} or id")
    return found[0]


def find_scope(
    connection: psycopg.Connection,
    user: str,
    strategy: str | None,
    account: str | None,
    start: datetime | None,
    end: datetime | None,
) -> Scope:
    """The scope that names and days stand for. Without days: from the first to the last known."""
    user_id, username = find_user(connection, user)
    strategy_id, strategy = find_one(connection, "trading_strategies", "name", user_id, strategy)
    account_id, account = find_one(connection, "mt5_accounts", "account_number", user_id, account)
    first, last = connection.execute(
        SQL.PERIOD, {"user": user_id, "strategy": strategy_id, "account": account_id}
    ).fetchone()
    today = datetime.now(UTC)
    start = start or midnight(first or (end or today) - timedelta(days=30))
    end = end or midnight(max(last or today, start)) + timedelta(days=1)
    if end <= start:
        raise Failure(f"{start:%Y-%m-%d} to {end:%Y-%m-%d} is no period: --from comes before --to")
    return Scope(user_id, username, strategy_id, strategy, account_id, account, start, end)


def midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
