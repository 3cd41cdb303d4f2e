"""Two users with equal data in every table; the tenant is one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psycopg

import rows

Connect = Callable[..., psycopg.Connection]
SECRET = "THEIRS"
AMOUNT = 777_777_777_777  # longer than the microseconds of a time


@dataclass
class Two:
    """Ids of both users' rows."""

    connection: psycopg.Connection
    mine: dict[str, object]
    theirs: dict[str, object]
    chunks: list[str]

    def values(self) -> dict[str, object]:
        """For the statements of attempts: %(user)s is theirs, %(my_user)s mine."""
        return self.theirs | {f"my_{name}": value for name, value in self.mine.items()}


def account_of(connection: psycopg.Connection, session: object) -> int:
    """The trading account of a session."""
    query = "SELECT account_id FROM mt5_sessions WHERE session_id = %s"
    return connection.execute(query, [session]).fetchone()[0]


def make_user(app: psycopg.Connection, text: str) -> dict[str, object]:
    """A row in every table, each holding a text that names its user."""
    user = rows.user(app, email=f"{text}@example.com", username=text)
    strategy = rows.strategy(app, user, name=text)
    session = rows.session(app, user, broker=text, server=text)
    signal = rows.signal(app, user, strategy_id=strategy, symbol=text, client_request_id="r")
    order = rows.closed_order(app, user, symbol=text, signal_id=signal, mt5_order_id="1")
    position = rows.position(app, session, symbol=text, ticket="1")
    amount = AMOUNT if text == SECRET else 1
    rows.snapshot(app, session, balance=amount)
    rows.deposit(app, account_of(app, session), amount, "2026-01-05 10:00+00")
    rows.metrics(app, user, strategy_id=strategy, total_profit=amount)
    return {
        "user": user, "strategy": strategy, "session": session, "signal": signal, "order": order,
        "position": position, "account": account_of(app, session),
    }  # fmt: skip


def become(connection: psycopg.Connection, user: object) -> None:
    """Act as a user's tenant until the end of the transaction."""
    connection.execute("SET LOCAL ROLE rubi_tenant")
    connection.execute("SELECT set_config('app.user_id', %s, TRUE)", [str(user)])


def setup(connection: psycopg.Connection) -> Two:
    """Both users' rows; then the connection acts as the tenant "mine"."""
    mine, theirs = make_user(connection, "mine"), make_user(connection, SECRET)
    chunks = connection.execute(
        "SELECT format('%I.%I', chunk_schema, chunk_name) FROM timescaledb_information.chunks"
    ).fetchall()
    become(connection, mine["user"])
    return Two(connection, mine, theirs, [name for (name,) in chunks])


TABLES = {
    "users": "id", "trading_strategies": "user_id", "mt5_accounts": "user_id",
    "mt5_sessions": "user_id", "trading_signals": "user_id", "trading_orders": "user_id",
    "trading_positions": "session_id", "performance_metrics": "user_id",
    "my_account_snapshots": "session_id", "user_trading_stats": "user_id",
    "open_positions_with_session": "user_id",
}  # fmt: skip
