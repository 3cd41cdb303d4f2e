"""Random histories through the gateway's doors: each deal's money is found once, in every way."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal

import psycopg
import pytest

import deal_books as books
import mt5
import performance_reference as reference
import rows
from deal_books import ZERO, Broker, D
from histories import calculate
from performance_reference import Trade

PERIOD = ("2025-12-01 00:00+00", "2027-01-01 00:00+00")
LAST = D("1e-30")  # a digit that a quotient may lose; in bitcoin it is one of few


def open_account(db: psycopg.Connection, broker: Broker, user: int, currency: str = "USD") -> int:
    """An account of the user at a server of its own."""
    server = f"S{user} {currency}"
    account = mt5.open_account(
        db, user, server=server, margin_mode=2 if broker.hedging else 0, currency=currency,
        currency_digits=broker.digits, taken_at="2025-01-01",
    )  # fmt: skip
    db.execute("DELETE FROM account_snapshots")
    db.execute("INSERT INTO mt5_server_clocks VALUES (%s, DEFAULT, %s)", [server, str(broker.rule)])
    return account


def name_strategies(db: psycopg.Connection, user: int, account: int) -> dict[int, int]:
    """The strategies of two magic numbers."""
    strategies = {magic: rows.strategy(db, user, name=f"s{magic}") for magic in (1, 2)}
    for magic, strategy in strategies.items():
        db.execute(
            "INSERT INTO mt5_magic_strategies (account_id, user_id, magic, strategy_id)"
            " VALUES (%s, %s, %s, %s)",
            [account, user, magic, strategy],
        )
    return strategies


def send(db: psycopg.Connection, source: random.Random, account: int, deals: list[dict]) -> None:
    """In pieces, in any order, some twice."""
    mixed = deals + [source.choice(deals) for _ in range(3 if deals else 0)]
    source.shuffle(mixed)
    while mixed:
        size = source.choice([1, 7, 40])
        mt5.ingest(db, "deals", account, mixed[:size])
        del mixed[:size]


def picture(db: psycopg.Connection, broker: Broker, user: int) -> None:
    """The account's state after the last deal, and what is open."""
    at = broker.rule.utc(broker.clock) + timedelta(hours=2)
    balance = float(books.balances_of(broker.deals)[-1][1])
    account = mt5.open_account(
        db, user, server=f"S{user} USD", balance=balance, equity=balance,
        currency_digits=broker.digits, taken_at=at, margin_mode=2 if broker.hedging else 0,
    )  # fmt: skip
    mt5.ingest(db, "positions", account, [
        mt5.position(ticket=p, symbol=symbol, type=0 if volume > 0 else 1,
                     volume=float(abs(volume)))
        for p, (symbol, volume) in broker.open.items()
    ], at)  # fmt: skip


def mean(worth: Decimal, volume: Decimal) -> Decimal | None:
    return (worth / volume).quantize(books.UNIT, ROUND_HALF_UP) if volume else None


def compare_ledger(db: psycopg.Connection, broker: Broker, account: int) -> list[books.Leg]:
    """Balances, operations, trips and orders; answers the legs."""
    deals = broker.deals
    assert db.execute(
        "SELECT ticket, balance, credit FROM account_ledger WHERE account_id = %s"
        " ORDER BY time_msc, ticket", [account],
    ).fetchall() == books.balances_of(deals)  # fmt: skip
    operations = dict(
        db.execute(
            "SELECT mt5_deal_id, amount FROM balance_operations WHERE account_id = %s", [account]
        ).fetchall()
    )
    assert operations == books.operations_of(deals)
    legs = books.legs_of(deals, broker.rule)
    assert db.execute(
        "SELECT position_id, leg, side, volume_opened, volume_closed, open_price, close_price,"
        " profit, commission, swap, fee, net_result, opened_at, closed_at, magic"
        " FROM mt5_trips WHERE account_id = %s AND side IS NOT NULL ORDER BY 1, 2", [account],
    ).fetchall() == [
        (
            leg.position, leg.number, leg.side, leg.opened, leg.closed,
            mean(leg.opened_worth, leg.opened), mean(leg.closed_worth, leg.closed),
            *leg.parts.values(), leg.net, leg.opened_at, leg.closed_at, leg.magic,
        )
        for leg in legs
    ]  # fmt: skip
    assert db.execute(
        "SELECT o.mt5_position_id, t.leg, o.volume, o.close_price, o.profit, o.commission, o.swap,"
        " o.opened_at, o.closed_at FROM trading_orders AS o INNER JOIN mt5_trips AS t"
        " ON t.trading_order_id = o.id WHERE o.account_id = %s ORDER BY t.position_id, 2",
        [account],
    ).fetchall() == [
        (
            str(leg.position), leg.number, leg.opened,
            mean(leg.closed_worth, leg.closed) if leg.closed_at else None, leg.parts["profit"],
            leg.parts["commission"] + leg.parts["fee"], leg.parts["swap"], leg.opened_at,
            leg.closed_at,
        )
        for leg in legs
    ]  # fmt: skip
    # all money, once
    moved = sum((books.money_of(d) for d in deals if d["type"] not in books.CREDITS), ZERO)
    assert sum(operations.values(), ZERO) + sum((leg.net for leg in legs), ZERO) == moved
    return legs


def compare_report(db: psycopg.Connection, deals: list[dict], account: int) -> None:
    """The terminal's definitions: each closing deal is a trade, a first deposit the start."""
    walked = [
        deal
        for deal in sorted(deals, key=books.walk_order)
        if deal["type"] not in books.CREDITS
        and (deal["type"] not in books.CANCELLED or books.money_of(deal))
    ]
    closing = [
        books.money_of(deal) for deal in walked if deal["type"] in (0, 1) and deal["entry"] > 0
    ]
    traded = [books.money_of(deal) for deal in walked if deal["type"] in (0, 1)]
    balances = list(itertools.accumulate(map(books.money_of, walked)))
    expected = {
        "net_profit": sum(traded, ZERO),
        "gross_profit": sum((money for money in traded if money > 0), ZERO),
        "trades": len(closing),
        "won_trades": sum(money >= 0 for money in closing),
        "largest_loss": min((money for money in closing if money < 0), default=ZERO),
        "drawdown_absolute": max(balances[0] - min(balances), ZERO),
        "drawdown_maximal": max(
            max(balances[: number + 1]) - balance for number, balance in enumerate(balances)
        ),
    }
    if len(balances) == 1:
        del expected["drawdown_maximal"]  # a start alone can't fall
    found = dict(
        db.execute("SELECT * FROM measure_mt5_report(%s, 0, 9000000000000)", [account]).fetchall()
    )
    assert {name: found[name] for name in expected} == expected


def compare_sums(
    db: psycopg.Connection, user: int, strategies: dict[int, int], legs: list[books.Leg]
) -> None:
    """What views and counters say of the orders."""
    assert db.execute(
        "SELECT total_orders, open_orders, total_profit FROM user_trading_stats"
        " WHERE user_id = %s", [user],
    ).fetchone() == (
        len(legs), sum(leg.closed_at is None for leg in legs),
        sum((leg.parts["profit"] for leg in legs), ZERO),
    )  # fmt: skip
    closed = [leg for leg in legs if leg.closed_at]
    for magic, strategy in strategies.items():
        nets = [leg.net for leg in closed if leg.magic == magic]
        assert db.execute(
            "SELECT total_trades, winning_trades, total_profit FROM trading_strategies"
            " WHERE id = %s", [strategy],
        ).fetchone() == (len(nets), sum(net > 0 for net in nets), sum(nets, ZERO))  # fmt: skip
    for view in ("daily", "monthly", "symbol", "strategy", "session", "weekday", "hour"):
        assert db.execute(
            "SELECT coalesce(sum(trades), 0), coalesce(sum(net_profit), 0),"
            " coalesce(sum(gross_profit + gross_loss), 0)"
            f" FROM {view}_results WHERE user_id = %s", [user],
        ).fetchone() == (
            len(closed), sum((leg.net for leg in closed), ZERO),
            sum((leg.net for leg in closed), ZERO),
        ), view  # fmt: skip


def compare_metrics(
    db: psycopg.Connection, broker: Broker, user: int, account: int, legs: list[books.Leg]
) -> None:
    """A period that cuts the history, by a plain restatement and empyrical."""
    source, deals = broker.source, broker.deals
    start = broker.rule.utc(broker.start) + timedelta(hours=source.randint(0, 300))
    end = start + timedelta(hours=source.randint(1, 400))
    opening = books.balance_before(deals, start, broker.rule)
    assert db.execute(
        "SELECT find_account_balance(%s, %s)", [account, start]
    ).fetchone() == (opening,)  # fmt: skip
    row = calculate(db, user, None, start, end)
    numbers = {
        (int(position), leg): number
        for position, leg, number in db.execute(
            "SELECT position_id, leg, trading_order_id FROM mt5_trips WHERE account_id = %s",
            [account],
        )
    }
    trades = sorted(
        (
            Trade(numbers[leg.position, leg.number], leg.opened_at, leg.closed_at, leg.net)
            for leg in legs
            if leg.closed_at and start <= leg.closed_at < end
        ),
        key=lambda trade: (trade.closed, trade.number),
    )
    assert row["opening_balance"] == opening
    for name, expected in reference.restate(trades).items():
        if isinstance(expected, Decimal):
            assert abs(row[name] - expected) <= abs(expected) * D("1e-25") + LAST, name
        elif isinstance(expected, timedelta):
            assert abs(row[name] - expected) <= timedelta(microseconds=1), name
        else:
            assert row[name] == expected, name
    flows = {d["ticket"]: broker.rule.utc(d["time_msc"]) for d in deals}
    booked = [(flows[int(ticket)], amount) for ticket, amount in books.operations_of(deals).items()]
    booked = [flow for flow in booked if start <= flow[0] < end]
    total, points = ZERO, []
    for trade in trades:
        total += trade.net
        points.append((trade.closed, total, sum((a for at, a in booked if at <= trade.closed), 0)))
    if opening > 5_000:  # more than is withdrawn: percents have a base
        found = reference.falls(points, start, opening)
        assert row["balance_drawdown_maximal"] in (None, found["maximal"].money)
        assert row["balance_drawdown_absolute"] in (None, found["absolute"].money)
    if row["reasons"].get("annual_return"):
        return
    series = reference.returns(trades, start, end, opening, booked)
    ratios = reference.ratios(series, 365, 0)
    if ratios["max_drawdown_percent"] < 1e-6:  # few digits of it are left in a float near 1
        del ratios["calmar_ratio"]
    for name, expected in ratios.items():
        if row[name] is not None:
            assert float(row[name]) == pytest.approx(expected, rel=1e-6, abs=1e-9), name


def compare_newer(
    db: psycopg.Connection, broker: Broker, account: int, older: list[dict], newer: list[dict]
) -> None:
    """A history that begins in the middle: nothing is lost of what is known."""
    begun = {deal["position_id"] for deal in older}
    sums = {
        position: parts
        for position, *parts in db.execute(
            "SELECT position_id, sum(volume_opened + volume_closed), sum(net_result) FROM mt5_trips"
            " WHERE account_id = %s GROUP BY position_id", [account],
        )
    }  # fmt: skip
    legs = [leg for leg in books.legs_of(newer, broker.rule) if leg.position not in begun]
    for position in begun - {0} | {leg.position for leg in legs}:
        deals = [
            d for d in newer
            if d["position_id"] == position and d["type"] not in (*books.CREDITS, *books.CANCELLED)
        ]  # fmt: skip
        if deals:
            traded = [D(str(d["volume"])) for d in deals if d["type"] < 2 and d["reason"] != 7]
            assert sums[position] == [sum(traded), sum(map(books.money_of, deals), ZERO)]
    found = db.execute(
        "SELECT position_id, leg, side, volume_opened, volume_closed, net_result, closed_at"
        " FROM mt5_trips WHERE account_id = %s AND side IS NOT NULL"
        " AND position_id <> ALL (%s) ORDER BY 1, 2", [account, list(begun)],
    ).fetchall()  # fmt: skip
    assert found == [
        (leg.position, leg.number, leg.side, leg.opened, leg.closed, leg.net, leg.closed_at)
        for leg in legs
    ]
    # after all that is older, which may share a millisecond or the hour that is shown twice
    known = [*older, newer[len(newer) // 2]]
    at = max(broker.rule.utc(d["time_msc"]) for d in known) + timedelta(microseconds=1)
    balance = books.balance_before(broker.deals, at, broker.rule)
    assert db.execute("SELECT find_account_balance(%s, %s)", [account, at]).fetchone() == (balance,)


def play(db: psycopg.Connection, seed: int) -> None:
    broker = books.draw(seed)
    user = rows.user(db)
    account = open_account(db, broker, user)
    strategies = name_strategies(db, user, account)
    begin = broker.source.randrange(len(broker.deals)) if seed % 2 else 0
    send(db, broker.source, account, broker.deals[begin:])
    if begin:
        picture(db, broker, user)
        compare_newer(db, broker, account, broker.deals[:begin], broker.deals[begin:])
        send(db, broker.source, account, broker.deals[:begin])
    for is_corrected in (False, True):
        mt5.ingest(db, "deals", account, broker.correct() if is_corrected else [])
        db.execute("DELETE FROM account_snapshots")
        picture(db, broker, user)
        legs = compare_ledger(db, broker, account)
        compare_report(db, broker.deals, account)
        compare_sums(db, user, strategies, legs)
        compare_metrics(db, broker, user, account, legs)
        assert mt5.violations(db) == {}
    db.execute("SELECT rebuild_mt5_trips(%s)", [account])
    assert compare_ledger(db, broker, account) == legs


GROUPS = {
    "daily": ("day", lambda leg: leg.closed_at.date()),
    "monthly": ("month", lambda leg: leg.closed_at.date().replace(day=1)),
    "symbol": ("symbol", lambda leg: leg.symbol),
    "hour": ("hour", lambda leg: leg.opened_at.hour),
}


def play_several(db: psycopg.Connection, seed: int) -> None:
    """Accounts of one user in several currencies, whose money has no sum."""
    user = rows.user(db)
    closed: dict[str, list[books.Leg]] = {}
    for number, currency in enumerate(("USD", "JPY", "USC")):
        broker = books.draw(3 * seed + number)
        account = open_account(db, broker, user, currency)
        send(db, broker.source, account, broker.deals)
        legs = books.legs_of(broker.deals, broker.rule)
        closed[currency] = [leg for leg in legs if leg.closed_at]
        one = calculate(db, user, None, *PERIOD, p_account_id=account)
        assert one["total_profit"] == sum((leg.net for leg in closed[currency]), ZERO)
        assert (one["total_trades"], one["currency"]) == (len(closed[currency]), currency)
    for view, (column, key) in GROUPS.items():
        sums: dict[tuple, Decimal] = defaultdict(Decimal)
        for currency, legs in closed.items():
            for leg in legs:
                sums[currency, key(leg)] += leg.net
        assert sums == {
            (currency, name): net
            for currency, name, net in db.execute(
                f"SELECT currency, {column}, net_profit FROM {view}_results WHERE user_id = %s",
                [user],
            )
        }, view
    together = calculate(db, user, None, *PERIOD)
    assert together["total_trades"] == sum(map(len, closed.values()))
    if all(closed.values()):
        assert together["reasons"]["total_profit"] == "mixed_currency"
        money = ("total_profit", "opening_balance", "profit_factor", "max_drawdown", "sharpe_ratio")
        assert {together[name] for name in money} == {None}


@pytest.mark.parametrize("seed", range(8))
def test_money_of_a_random_history_is_found_once(db: psycopg.Connection, seed: int) -> None:
    play(db, seed)


def test_money_of_several_currencies_has_no_sum(db: psycopg.Connection) -> None:
    play_several(db, 1)


@pytest.mark.slow
def test_money_of_300_random_histories_is_found_once(db: psycopg.Connection) -> None:
    for seed in random.sample(range(10**6), 300):
        print("seed", seed)
        play(db, seed)
        if seed % 10 == 0:
            play_several(db, seed)
