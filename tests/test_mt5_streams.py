"""Random but legal histories: however they arrive, the tables end equal and all proofs hold."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import conftest
import mt5
import rows
from mt5 import BUY, IN, INOUT, OUT, OUT_BY, SELL

D = Decimal
START = mt5.msc("2026-01-05 00:00")
CENTS = st.integers(-50_000, 50_000).map(lambda n: n / 100)
COSTS = st.integers(-500, 0).map(lambda n: n / 100)
LOTS = st.integers(1, 300).map(lambda n: D(n) / 100)


class Broker:
    """Keeps one account's books while deals are drawn: what is open, and the balance."""

    def __init__(self, draw: st.DrawFn, *, hedging: bool) -> None:
        self.draw, self.hedging = draw, hedging
        self.deals: list[dict] = []
        self.orders: list[dict] = []
        self.open: dict[int, list] = {}  # position id -> [symbol, signed volume]
        self.money = D(0)
        self.clock = START
        self.ticket = 0

    def deal(self, kind: int, entry: int, volume: D, position: int, symbol: str, **fields: Any):
        """Book one deal; several share a millisecond."""
        self.ticket += 1
        self.clock += self.draw(st.sampled_from([0, 1, 3_600_000]))
        made = mt5.deal(
            ticket=self.ticket, type=kind, entry=entry, volume=float(volume), position_id=position,
            symbol=symbol, commission=self.draw(COSTS), fee=self.draw(COSTS),
            price=1 + self.draw(st.integers(0, 20_000)) / 100_000,
            magic=self.draw(st.integers(0, 2)),
        ) | {"time_msc": self.clock, "time": self.clock // 1000} | fields  # fmt: skip
        self.deals.append(made)
        if kind != 3:
            parts = ("profit", "commission", "swap", "fee")
            self.money += sum(D(str(made[name])) for name in parts)
        return made

    def order(self, deal: dict) -> None:
        """The filled order of a deal."""
        self.orders.append(mt5.order(
            ticket=deal["order"], type=deal["type"], volume_initial=deal["volume"],
            position_id=deal["position_id"], time_setup=deal["time"], time_setup_msc=self.clock,
            time_done=deal["time"], time_done_msc=self.clock, symbol=deal["symbol"],
        ))  # fmt: skip

    def trade(self, position: int, signed: D, entry: int, symbol: str) -> None:
        """One fill of a position."""
        number = 1_000_000 + self.ticket
        gain = {} if entry == IN else {"profit": self.draw(CENTS), "swap": self.draw(COSTS)}
        made = self.deal(
            BUY if signed > 0 else SELL, entry, abs(signed), position, symbol, order=number, **gain
        )
        self.order(made)
        held = self.open.setdefault(position, [symbol, D(0)])
        held[1] += signed
        if not held[1]:
            del self.open[position]

    def step(self) -> None:
        """An event that may happen on an account."""
        symbol = self.draw(st.sampled_from(["EURUSD", "#AAPL"]))
        positions = [p for p, (s, _) in self.open.items() if s == symbol]
        what = self.draw(st.sampled_from(["open", "open", "close", "close", "turn", "money"]))
        if what == "money":
            amount = self.draw(CENTS)
            kind, on = self.draw(st.sampled_from([(2, 0), (3, 0), (15, 1), (17, 1)]))
            position = positions[0] if on and positions else 0
            self.deal(kind, IN, D(0), position, symbol if position else "", order=0, price=0.0,
                      commission=0.0, fee=0.0, profit=amount)  # fmt: skip
            return
        volume = self.draw(LOTS) * self.draw(st.sampled_from([1, -1]))
        if what == "open" or not positions:
            if positions and not self.hedging:  # netting: more on the same side
                held = self.open[positions[0]][1]
                self.trade(positions[0], abs(volume) * (1 if held > 0 else -1), IN, symbol)
            else:
                self.trade(2_000_000 + self.ticket, volume, IN, symbol)
            return
        position = self.draw(st.sampled_from(positions))
        held = self.open[position][1]
        side = 1 if held > 0 else -1
        if what == "turn" and not self.hedging:
            self.trade(position, -held - side * abs(volume), INOUT, symbol)
        elif what == "turn":
            other = [p for p in positions if self.open[p][1] * side < 0]
            if other:
                self.close_by(position, other[0], symbol)
        else:
            self.trade(position, -side * min(abs(held), abs(volume)), OUT, symbol)

    def close_by(self, position: int, other: int, symbol: str) -> None:
        """Two opposite positions close each other by one order."""
        volume = min(abs(self.open[position][1]), abs(self.open[other][1]))
        number = 3_000_000 + self.ticket
        for at, gain in ((position, self.draw(CENTS)), (other, 0.0)):
            side = 1 if self.open[at][1] > 0 else -1
            self.deal(SELL if side > 0 else BUY, OUT_BY, volume, at, symbol, order=number,
                      profit=gain)  # fmt: skip
            self.open[at][1] -= side * volume
            if not self.open[at][1]:
                del self.open[at]


@st.composite
def histories(draw: st.DrawFn) -> Broker:
    broker = Broker(draw, hedging=draw(st.booleans()))
    for _ in range(draw(st.integers(1, 25))):
        broker.step()
    return broker


def finish(db: psycopg.Connection, user: int, broker: Broker) -> int:
    """The account's last picture: its balance and what is open."""
    balance = float(broker.money)
    account = mt5.open_account(db, user, balance=balance, equity=balance, server=f"S{user}")
    mt5.ingest(db, "positions", account, [
        mt5.position(ticket=p, symbol=symbol, type=BUY if volume > 0 else SELL,
                     volume=float(abs(volume)))
        for p, (symbol, volume) in broker.open.items()
    ])  # fmt: skip
    return account


def picture(db: psycopg.Connection, account: int) -> list[list[tuple]]:
    """All that the deals of an account left behind, without surrogate keys."""
    queries = (
        "SELECT raw, executed_at, position_id, source FROM trading_deals WHERE account_id = %s"
        " ORDER BY ticket",
        "SELECT raw, setup_at, state FROM mt5_orders WHERE account_id = %s ORDER BY ticket",
        "SELECT to_jsonb(t) - '{account_id,trading_order_id}'::text[] FROM mt5_trips AS t"
        " WHERE account_id = %s ORDER BY position_id, leg",
        "SELECT to_jsonb(o) - '{id,user_id,account_id}'::text[] AS o FROM trading_orders AS o"
        " WHERE account_id = %s ORDER BY 1",
    )
    return [db.execute(query, [account]).fetchall() for query in queries]


def new_account(db: psycopg.Connection) -> tuple[int, int]:
    user = rows.user(db)
    return user, mt5.open_account(db, user, server=f"S{user}", taken_at="2026-01-01")


def pieces(draw: st.DrawFn, elements: list[dict]) -> list[list[dict]]:
    """The elements shuffled, some twice, in pieces."""
    mixed = draw(st.permutations(elements + draw(st.lists(st.sampled_from(elements), max_size=5))))
    cuts = sorted(draw(st.lists(st.integers(0, len(mixed)), max_size=4)))
    return [mixed[a:b] for a, b in zip([0, *cuts], [*cuts, len(mixed)], strict=True)]


def check(db: psycopg.Connection, data: st.DataObject) -> None:
    broker = data.draw(histories())
    user, whole = new_account(db)
    mt5.ingest(db, "deals", whole, broker.deals)
    if broker.orders:
        mt5.ingest(db, "orders", whole, broker.orders)
    assert finish(db, user, broker) == whole
    wanted = picture(db, whole)

    user, apart = new_account(db)
    sends = [("deals", piece) for piece in pieces(data.draw, broker.deals)]
    if broker.orders:
        sends += [("orders", piece) for piece in pieces(data.draw, broker.orders)]
    for what, piece in data.draw(st.permutations(sends)):
        assert sum(mt5.ingest(db, what, apart, piece)) == len(piece)
    finish(db, user, broker)
    assert picture(db, apart) == wanted
    assert mt5.violations(db) == {}


QUICK = settings(
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


@QUICK
@given(data=st.data())
def test_a_history_in_any_order_and_pieces_ends_equal(
    db: psycopg.Connection, data: st.DataObject
) -> None:
    check(db, data)


@pytest.mark.slow
@settings(QUICK, max_examples=300, derandomize=False)
@given(data=st.data())
def test_many_histories_in_any_order_and_pieces_end_equal(
    db: psycopg.Connection, data: st.DataObject
) -> None:
    check(db, data)


def at_once(dsn: str, shares: list[list[tuple[str, list[dict]]]], account: int) -> None:
    """Send each share on a connection of its own, all at the same time."""
    failures: list[BaseException] = []
    barrier = threading.Barrier(len(shares))

    def send(share: list[tuple[str, list[dict]]]) -> None:
        try:
            with psycopg.connect(dsn, autocommit=True) as connection:
                barrier.wait(30)
                for what, piece in share:
                    mt5.ingest(connection, what, account, piece)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=send, args=[share]) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@settings(QUICK, max_examples=5)
@given(data=st.data())
def test_two_connections_at_once_end_equal(
    db: psycopg.Connection, server: conftest.Address, data: st.DataObject
) -> None:
    broker = data.draw(histories())
    user, whole = new_account(db)
    mt5.ingest(db, "deals", whole, broker.deals)
    mt5.ingest(db, "orders", whole, broker.orders)
    finish(db, user, broker)
    user, apart = new_account(db)
    shares = [
        [("deals", piece) for piece in pieces(data.draw, broker.deals)]
        + [("orders", broker.orders)]
        for _ in range(2)
    ]
    at_once(server.dsn(db.info.dbname), shares, apart)
    finish(db, user, broker)
    assert picture(db, apart) == picture(db, whole)
    assert mt5.violations(db) == {}


@QUICK
@given(data=st.data())
def test_deals_and_orders_written_past_the_gateway_end_equal(
    db: psycopg.Connection, app: psycopg.Connection, data: st.DataObject
) -> None:
    broker = data.draw(histories())
    user, whole = new_account(db)
    mt5.ingest(db, "deals", whole, broker.deals)
    mt5.ingest(db, "orders", whole, broker.orders)
    finish(db, user, broker)
    user, apart = new_account(db)
    writes = []
    for table, elements in (("trading_deals", broker.deals), ("mt5_orders", broker.orders)):
        names = app.execute(
            "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns"
            " WHERE table_name = %s AND column_name <> 'account_id'",
            [table],
        ).fetchone()[0]
        query = (
            f"INSERT INTO {table} (account_id, {names}) SELECT %s, {names} FROM {table}"
            " WHERE account_id = %s AND ticket = ANY (%s) ON CONFLICT DO NOTHING"
        )
        tickets = list(dict.fromkeys(element["ticket"] for element in elements))
        writes += [(query, [apart, whole, piece]) for piece in pieces(data.draw, tickets)]
    for query, values in data.draw(st.permutations(writes)):
        app.execute(query, values)
    finish(db, user, broker)
    assert picture(db, apart) == picture(db, whole)
    assert "trips" not in mt5.violations(db)
    # and nothing is left of what is deleted
    app.execute("DELETE FROM trading_deals WHERE account_id = %s", [apart])
    assert picture(db, apart)[2:] == [[], []]
    assert "trips" not in mt5.violations(db)
