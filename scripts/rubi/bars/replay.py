"""Real bars and a moving-average crossover, written through the role rubi_app as the API would.

The bars come from the installed package `backtesting`. Every statement may be sent again: requests
carry an identity, so a replay that was interrupted is completed, and one that was complete changes
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import psycopg

from rubi.bars.samples import MARKETS, Bar, Market

EMAIL = "demo@rubi-studio.example"
SESSION = "0d3e0000-0000-4000-8000-000000000001"
START_BALANCE = Decimal(10000)
LEVERAGE = 100
# A price update for each bar is grouped into transactions of this many.
BATCH = 100


def crossovers(bars: list[Bar]) -> dict[int, tuple[str, Decimal, Decimal]]:
    """Bars at whose close the fast mean crosses the slow one: index to side and both means."""
    market = bars[0].market
    closes = [bar.close for bar in bars]
    fast = slow = Decimal(0)
    result = {}
    above = None
    for index, close in enumerate(closes):
        fast += close - (closes[index - market.fast] if index >= market.fast else 0)
        slow += close - (closes[index - market.slow] if index >= market.slow else 0)
        if index < market.slow - 1:
            continue
        means = fast / market.fast, slow / market.slow
        if above is not None and (means[0] > means[1]) != above:
            result[index] = ("BUY" if means[0] > means[1] else "SELL", *means)
        above = means[0] > means[1]
    return result


@dataclass
class Trade:
    """A position of the replay."""

    market: Market
    ticket: str
    side: str
    opened: Bar
    price: Decimal

    def profit(self, price: Decimal) -> Decimal:
        """Result at a price, account currency."""
        sign = 1 if self.side == "BUY" else -1
        units = self.market.volume * self.market.contract
        return (sign * (price - self.opened.open) * units).quantize(Decimal("0.01"))


class Replay:
    """The account as its terminal sees it: opens, updates and closes through SQL."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.balance = START_BALANCE
        self.open: dict[str, Trade] = {}
        self.orders = 0
        with connection.transaction():
            self.user = self.one(
                "INSERT INTO users (email, username, hashed_password) VALUES (%s, 'demo', '!')"
                " ON CONFLICT (email) DO UPDATE SET is_active = TRUE RETURNING id",
                EMAIL,
            )
            self.strategy = self.existing_strategy() or self.one(
                "INSERT INTO trading_strategies (user_id, name, description, symbols, timeframes)"
                " VALUES (%s, 'Moving-average crossover', 'fast mean over slow mean of closes',"
                ' \'["EURUSD", "GOOG", "BTCUSD"]\', \'["H1", "D1", "MN1"]\') RETURNING id',
                self.user,
            )
            self.account = self.one(
                "INSERT INTO mt5_sessions (user_id, session_id, account_number, broker, server,"
                " balance, equity) VALUES (%s, %s, '5001234', 'Demo Broker', 'DemoBroker-Server',"
                " %s, %s) ON CONFLICT (session_id) DO UPDATE SET last_ping = now()"
                " RETURNING account_id",
                self.user,
                SESSION,
                START_BALANCE,
                START_BALANCE,
            )

    def one(self, query: str, *values: object) -> int:
        """The single value that a statement returns."""
        return self.connection.execute(query, values).fetchone()[0]

    def existing_strategy(self) -> int | None:
        """The strategy of an earlier replay."""
        row = self.connection.execute(
            "SELECT id FROM trading_strategies WHERE user_id = %s ORDER BY id LIMIT 1", [self.user]
        ).fetchone()
        return row and row[0]

    def signal(self, bar: Bar, kind: str, ticket: str, means: tuple[Decimal, Decimal]) -> int:
        """Send a signal at a bar's close; answers its id, also when it was there already."""
        at = bar.timestamp + bar.market.duration
        return self.one(
            "INSERT INTO trading_signals (user_id, strategy_id, symbol, signal_type, volume,"
            " timeframe, indicators, signal_time, received_at, client_request_id)"
            " VALUES (%s, %s, %s, %s, %s, %s,"
            " jsonb_build_object('fast', %s::numeric, 'slow', %s::numeric), %s, %s, %s)"
            " ON CONFLICT (user_id, client_request_id) DO UPDATE"
            " SET status_message = trading_signals.status_message RETURNING id",
            self.user,
            self.strategy,
            bar.market.symbol,
            kind,
            bar.market.volume,
            bar.market.timeframe,
            round(means[0], 8),
            round(means[1], 8),
            at,
            at,
            f"{ticket}-{kind}",
        )

    def execute_signal(self, signal: int, at: datetime) -> None:
        """Mark a signal as executed."""
        self.connection.execute(
            "UPDATE trading_signals SET status = 'EXECUTED', executed_at = %s"
            " WHERE id = %s AND status = 'PENDING'",
            [at, signal],
        )

    def turn(self, signal_bar: Bar, bar: Bar, side: str, means: tuple[Decimal, Decimal]) -> None:
        """Close what is open in the symbol at this bar's open and open the other side."""
        symbol = bar.market.symbol
        with self.connection.transaction():
            if trade := self.open.pop(symbol, None):
                signal = self.signal(signal_bar, f"CLOSE_{trade.side}", trade.ticket, means)
                self.execute_signal(signal, bar.timestamp)
                self.close(trade, bar)
            self.orders += 1
            # the ticket depends on the bar alone, so that a repeated replay names the same one
            ticket = f"{bar.timestamp:%Y%m%d%H}{MARKETS.index(bar.market)}"
            trade = Trade(bar.market, ticket, side, bar, bar.open)
            signal = self.signal(signal_bar, side, ticket, means)
            self.execute_signal(signal, bar.timestamp)
            self.connection.execute(
                "INSERT INTO trading_orders (signal_id, user_id, account_id, mt5_order_id,"
                " mt5_position_id, symbol, order_type, volume, open_price, opened_at,"
                " client_request_id) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                [
                    signal, self.user, self.account, ticket, ticket, symbol, side,
                    bar.market.volume, bar.open, bar.timestamp, ticket,
                ],
            )  # fmt: skip
            self.connection.execute(
                "INSERT INTO trading_positions (session_id, ticket, symbol, type, volume,"
                " open_price, current_price, open_time) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
                " ON CONFLICT (ticket, account_id) DO NOTHING",
                [
                    SESSION, ticket, symbol, side, bar.market.volume, bar.open, bar.open,
                    bar.timestamp,
                ],
            )  # fmt: skip
            self.open[symbol] = trade
            self.snapshot(bar.timestamp)

    def close(self, trade: Trade, bar: Bar) -> None:
        """Close a trade at a bar's open: the position goes, the order gets its money."""
        profit = trade.profit(bar.open)
        self.balance += profit + bar.market.commission
        self.connection.execute(
            "DELETE FROM trading_positions WHERE ticket = %s AND account_id = %s",
            [trade.ticket, self.account],
        )
        self.connection.execute(
            "UPDATE trading_orders SET close_price = %s, closed_at = %s, profit = %s,"
            " commission = %s WHERE mt5_order_id = %s AND account_id = %s AND closed_at IS NULL",
            [bar.open, bar.timestamp, profit, bar.market.commission, trade.ticket, self.account],
        )

    def update(self, bar: Bar) -> None:
        """What a terminal reports at a bar's close: the position's price and result."""
        if not (trade := self.open.get(bar.market.symbol)):
            return
        trade.price = bar.close
        self.connection.execute(
            "UPDATE trading_positions SET current_price = %s, profit = %s"
            " WHERE ticket = %s AND account_id = %s",
            [bar.close, trade.profit(bar.close), trade.ticket, self.account],
        )
        if bar.market.symbol == "EURUSD":
            self.snapshot(bar.timestamp + bar.market.duration)

    def snapshot(self, at: datetime) -> None:
        """Store the account's state, and send it as the session's heartbeat."""
        floating = sum((trade.profit(trade.price) for trade in self.open.values()), Decimal(0))
        notional = sum(
            (
                trade.price * trade.market.volume * trade.market.contract
                for trade in self.open.values()
            ),
            Decimal(0),
        )
        equity, margin = self.balance + floating, round(notional / LEVERAGE, 2)
        state = [self.balance, equity, margin, equity - margin]
        self.connection.execute(
            "INSERT INTO account_snapshots (session_id, timestamp, balance, equity, margin,"
            " margin_free, margin_level, profit) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            [SESSION, at, *state, round(equity / margin * 100, 2) if margin else 0, floating],
        )
        self.connection.execute(
            "UPDATE mt5_sessions SET balance = %s, equity = %s, margin = %s, margin_free = %s,"
            " last_ping = now() WHERE session_id = %s",
            [*state, SESSION],
        )


def replay(connection: psycopg.Connection, series: list[list[Bar]]) -> Iterator[int]:
    """Run the strategy over all series in the order of time; yields the number of bars done."""
    account = Replay(connection)
    signals = {bars[0].market: crossovers(bars) for bars in series}
    events = sorted(
        ((bar.timestamp, bars, index) for bars in series for index, bar in enumerate(bars)),
        key=lambda event: event[0],
    )
    for first in range(0, len(events), BATCH):
        with connection.transaction(), connection.pipeline():
            for _, bars, index in events[first : first + BATCH]:
                bar = bars[index]
                if index and (crossed := signals[bar.market].get(index - 1)):
                    side, *means = crossed
                    account.turn(bars[index - 1], bar, side, (means[0], means[1]))
                account.update(bar)
        yield min(first + BATCH, len(events))
