"""Real bars, traded: strategy, signal, claim, order, fill, deal, all the way into the tables.

The bars come from the installed package `backtesting`; the terminal is the stand-in, whose clock
follows the bars; the gateway reads the terminal as any other.
"""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg

from rubi.bars.samples import MARKETS, Bar
from rubi.cli import Failure
from rubi.demo.desk import EMAIL, Api, Worker
from rubi.gateway.loop import Gateway
from rubi.gateway.settings import Options
from rubi.queries import queries
from rubi.terminal import constants as mt5
from rubi.terminal.books import Books
from rubi.terminal.broker import Broker
from rubi.terminal.market import Clock, Market
from rubi.terminal.standin import Terminal

START_BALANCE = Decimal(10000)
OPENED = datetime(2003, 12, 31, 12, tzinfo=UTC)
LOGIN = 5_001_234
CLOCK = "NY+7"
DIGITS = {"EURUSD": 5, "GOOG": 2, "BTCUSD": 2}
OPENS, CLOSES = 1, 0  # a bar's close comes before the next one's opening
# bars after which the account is read though nothing was traded: two days, two weeks, a month
READ_AFTER = {"H1": 48, "D1": 10, "MN1": 1}
# the last signals: sent after the bars, by the machine's clock
LIVE_BUY, LIVE_CLOSE = "live-buy", "live-close"
NEVER = float("inf")
# of the slow mean of ranges: wide, because the crossing ends most trades
STOP_RANGES = {"H1": 12, "D1": 6, "MN1": 2}
SQL = queries(__file__)


def is_complete(connection: psycopg.Connection) -> bool:
    """Whether a replay came to its end here: the last signal has its deal. Of an older demo, whose
    tables are others, nobody knows: such a one is left alone.
    """
    try:
        return connection.execute(SQL.IS_COMPLETE, {"name": LIVE_CLOSE}).fetchone()[0]
    except psycopg.errors.UndefinedTable:
        return True


def find_stop(bars: list[Bar], index: int, side: str) -> Decimal:
    """Stop loss of a trade by the crossing at a bar, a mean range away, in its close's digits."""
    market, close = bars[index].market, bars[index].close
    latest = bars[index - market.slow + 1 : index + 1]
    mean = sum((bar.high - bar.low for bar in latest), Decimal(0)) / len(latest)
    distance = min(STOP_RANGES[market.timeframe] * mean, close / 2)
    return (close - distance if side == "BUY" else close + distance).quantize(close)


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


def new_terminal() -> Terminal:
    """The account's terminal on the day that it was opened."""
    broker = Broker(Market(Clock(at=OPENED)))
    for market in MARKETS:
        broker.market.add(
            market.symbol, DIGITS[market.symbol], market.contract, currency_profit="USD"
        )
    broker.accounts[LOGIN] = books = Books(
        broker.market, LOGIN, server="DemoBroker-Server", company="Demo Broker",
        name="Demo Trader",
        commissions={m.symbol: m.commission / 2 / m.volume for m in MARKETS},
    )  # fmt: skip
    books.operation(float(START_BALANCE), comment="deposit")
    return Terminal(broker, LOGIN)


class Replay:
    """The account's life, from the deposit to the last bar."""

    def __init__(self, connection: psycopg.Connection, ingest: str, spool: Path) -> None:
        self.api = Api(connection)
        self.terminal = new_terminal()
        options = Options(
            every={"state": 0, "heartbeat": 0, "history": NEVER},
            since=OPENED - timedelta(days=1), server_clock=CLOCK, patience=0,
            present=self.terminal.market.clock.now,
        )  # fmt: skip
        self.gateway = Gateway([(self.terminal, EMAIL)], ingest, spool, options)
        self.lane = self.gateway.lanes[0]
        self.lane.worker.delivery.begin(options.spool_days)
        self.lane.worker.begin()
        self.read()
        self.worker = Worker(
            psycopg.connect(ingest, autocommit=True), self.lane.worker.account_id, self.terminal
        )
        self.api.set_rules(self.worker.account, OPENED, START_BALANCE)

    def close(self) -> None:
        self.worker.connection.close()
        self.gateway.database.close()
        self.lane.worker.delivery.spool.close()

    def read(self, with_history: bool = False) -> None:
        """The gateway's turn. Raises Failure when anything of it was not stored.

        with_history: the latest days as well, though only prices moved.
        """
        if with_history:
            self.lane.worker.due["history"] = 0
        self.lane.worker.read_state()
        delivery = self.lane.worker.delivery
        if delivery.faults or delivery.waiting:
            raise Failure(f"the gateway could not store all: {delivery.faults[-1:]}")

    def quote(self, symbol: str, at: datetime | None, price: Decimal) -> None:
        self.terminal.market.clock.set(at)
        self.terminal.broker.quote(symbol, float(price))

    def turn(
        self, signal_bar: Bar, bar: Bar, side: str, means: tuple[Decimal, Decimal], stop: Decimal
    ) -> None:
        """A crossing: close what is open in the symbol, open the other side."""
        market = bar.market
        at = signal_bar.timestamp + market.duration
        name = f"{market.symbol}-{bar.timestamp:%Y%m%d%H}"
        kinds = [side]
        for held in self.terminal.positions_get(symbol=market.symbol):
            kinds.insert(0, "CLOSE_SELL" if held.type == mt5.POSITION_TYPE_SELL else "CLOSE_BUY")
        for kind in kinds:
            self.api.signal(
                market.symbol, kind, market.volume, market.timeframe, at, means, f"{name}-{kind}",
                stop if kind == side else None,
            )  # fmt: skip
        self.worker.work()
        self.read(with_history=True)

    def run(self, series: list[list[Bar]]) -> Iterator[int]:
        """Everything that happens, in the order of time; yields the number of bars done."""
        signals = {bars[0].market: crossovers(bars) for bars in series}
        events = sorted(
            (at, kind, bar.market.symbol, bars, index)
            for bars in series
            for index, bar in enumerate(bars)
            for at, kind in (
                (bar.timestamp, OPENS), (bar.timestamp + bar.market.duration, CLOSES),
            )
        )  # fmt: skip
        done = 0
        for at, kind, symbol, bars, index in events:
            bar = bars[index]
            self.quote(symbol, at, bar.open if kind == OPENS else bar.close)
            crossed = signals[bar.market].get(index - 1)
            if kind == OPENS and index and crossed:
                stop = find_stop(bars, index - 1, crossed[0])
                self.turn(bars[index - 1], bar, crossed[0], crossed[1:], stop)
            elif kind == CLOSES:
                done += 1
                is_due = index % READ_AFTER[bar.market.timeframe] == 0
                if is_due and self.terminal.positions_get():
                    self.read()
            yield done
        for _ in self.lane.worker.read_missing():  # all of it once more, as each new start does
            pass
        self.api.tag(self.worker.account)

    def live(self, price: Decimal) -> int:
        """A trade of the present, by the machine's clock; answers the id of its signal."""
        symbol, volume, means = "EURUSD", Decimal("0.1"), (price, price)
        reader = self.lane.worker
        self.quote(symbol, None, price)
        reader.watch()
        reader.pulse.look()
        first = self.api.signal(
            symbol, "BUY", volume, "M1", datetime.now(UTC), means, LIVE_BUY,
            price - Decimal("0.0020"),
        )  # fmt: skip
        self.worker.work()
        self.read()
        self.quote(symbol, None, price + Decimal("0.0010"))
        reader.report_clock(reader.pulse.look())
        self.api.signal(symbol, "CLOSE_BUY", volume, "M1", datetime.now(UTC), means, LIVE_CLOSE)
        self.worker.work()
        self.read()
        reader.read_symbols()
        return first


def replay(
    connection: psycopg.Connection, series: list[list[Bar]], ingest: str, is_live: bool = False
) -> Iterator[int]:
    """Trade all series; yields the number of bars done. connection: rubi_app; ingest: how the
    gateway and the worker connect. is_live: a trade of the present comes last."""
    with tempfile.TemporaryDirectory(prefix="rubi-demo-") as spool:
        work = Replay(connection, ingest, Path(spool))
        try:
            yield from work.run(series)
            if is_live:
                work.live(next(bars[-1].close for bars in series if bars[0].market == MARKETS[0]))
        finally:
            work.close()
