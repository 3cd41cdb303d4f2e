"""The demo's two clients: the API, which writes signals, and the worker that carries them out."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from rubi.queries import queries
from rubi.terminal import constants as mt5
from rubi.terminal.standin import Terminal

EMAIL = "demo@rubi-studio.example"
MAGIC = 20
SQL = queries(__file__)
DONE = frozenset({mt5.TRADE_RETCODE_DONE, mt5.TRADE_RETCODE_DONE_PARTIAL})


class Api:
    """The platform, as rubi_app: a user, a strategy, and its signals."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.user = self.one(
            "INSERT INTO users (email, username, hashed_password) VALUES (%s, 'demo', '!')"
            " RETURNING id",
            EMAIL,
        )
        self.strategy = self.one(
            "INSERT INTO trading_strategies (user_id, name, description, symbols, timeframes)"
            " VALUES (%s, 'Moving-average crossover', 'fast mean over slow mean of closes',"
            ' \'["EURUSD", "GOOG", "BTCUSD"]\', \'["H1", "D1", "MN1"]\') RETURNING id',
            self.user,
        )

    def one(self, query: str, *values: object) -> int:
        """The single value that a statement returns."""
        return self.connection.execute(query, values).fetchone()[0]

    def signal(
        self, symbol: str, kind: str, volume: Decimal, timeframe: str, at: datetime,
        means: tuple[Decimal, Decimal], name: str, stop: Decimal | None = None,
    ) -> int:  # fmt: skip
        """Send a signal; answers its id. name: identity of the request; stop: price."""
        return self.one(
            "INSERT INTO trading_signals (user_id, strategy_id, symbol, signal_type, volume,"
            " timeframe, indicators, signal_time, received_at, client_request_id, stop_loss)"
            " VALUES (%s, %s, %s, %s, %s, %s,"
            " jsonb_build_object('fast', %s::numeric, 'slow', %s::numeric), %s, %s, %s, %s)"
            " RETURNING id",
            self.user,
            self.strategy,
            symbol,
            kind,
            volume,
            timeframe,
            round(means[0], 8),
            round(means[1], 8),
            at,
            at,
            name,
            stop,
        )

    def set_rules(self, account: int, since: datetime, capital: Decimal) -> None:
        """Limits of the account, as a funded one has."""
        values = {"account": account, "since": since, "capital": capital}
        self.connection.execute(SQL.RULES, values)

    def tag(self, account: int) -> None:
        """A journal of the trades, by how long after the turn before they were opened."""
        self.connection.execute(SQL.TAGS, {"account": account})


class Worker:
    """Takes signals, as rubi_ingest, and sends orders to the terminal beside it."""

    def __init__(
        self, connection: psycopg.Connection, account: int, terminal: Terminal, name: str = "demo"
    ) -> None:
        self.connection, self.account, self.terminal = connection, account, terminal
        self.name = name

    def work(self) -> int:
        """Carry out what waits; answers how many signals that were."""
        claims = self.rows("SELECT * FROM claim_signals(%s, %s, 10)", self.account, self.name)
        for claim in claims:
            self.carry_out(claim)
        return len(claims)

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """What a function answers, by name."""
        cursor = self.connection.execute(query, values)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def carry_out(self, claim: dict[str, Any]) -> None:
        """One signal: said before sent, and settled by the answer.

        An answer that never came is neither: the claim stays open, for a person to look at.
        """
        request = self.request(claim)
        if request is None:
            self.settle(claim, "REJECTED", "no such position is open")
            return
        self.rows("SELECT mark_signal_sent(%s, %s)", claim["claim_id"], Jsonb(request))
        sent_at = datetime.now(UTC)
        result = self.terminal.order_send(request)
        answer = result and result._asdict() | {"request": result.request._asdict()}
        self.rows(
            "SELECT log_mt5_order_send(%s, %s, %s, %s, %s, p_claim_id => %s)",
            self.account, Jsonb(request), Jsonb(answer), sent_at, datetime.now(UTC),
            claim["claim_id"],
        )  # fmt: skip
        if result:
            is_done = result.retcode in DONE
            self.settle(
                claim, "EXECUTED" if is_done else "REJECTED",
                None if is_done else f"{result.retcode} {result.comment}",
            )  # fmt: skip

    def settle(self, claim: dict[str, Any], outcome: str, message: str | None) -> None:
        self.rows("SELECT settle_signal(%s, %s, %s)", claim["claim_id"], outcome, message)

    def request(self, claim: dict[str, Any]) -> dict[str, Any] | None:
        """The request of a signal for order_send; None where there is nothing to close."""
        kind = str(claim["signal_type"])
        side = kind.removeprefix("CLOSE_")
        buys = (side == "BUY") != kind.startswith("CLOSE_")  # closing a buy sells
        request = {
            "action": mt5.TRADE_ACTION_DEAL, "symbol": claim["symbol"], "magic": MAGIC,
            "volume": float(claim["volume"]), "type_filling": mt5.ORDER_FILLING_IOC,
            "type": mt5.ORDER_TYPE_BUY if buys else mt5.ORDER_TYPE_SELL,
            "comment": f"signal {claim['signal_id']}",
        }  # fmt: skip
        if kind.startswith("CLOSE_"):
            wanted = mt5.POSITION_TYPE_BUY if side == "BUY" else mt5.POSITION_TYPE_SELL
            held = self.terminal.positions_get(symbol=claim["symbol"]) or ()
            found = [position for position in held if position.type == wanted]
            if not found:
                return None
            request["position"] = found[-1].identifier
        elif claim["stop_loss"] is not None:
            request["sl"] = float(claim["stop_loss"])
        return request
