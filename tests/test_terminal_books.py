"""The stand-in's books: what orders, prices and the broker make of an account."""

from __future__ import annotations

import random
from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest

from faulty_terminals import Terminal
from rubi.terminal import constants as mt5
from terminals import BUY, EVER, HEDGING, NETTING, SELL, new, pend, send, trades


def test_hedging_opens_and_closes_by_ticket() -> None:
    terminal = new()
    one, two = send(terminal, BUY, 0.3), send(terminal, SELL, 0.2)
    terminal.step("quote", "EURUSD", 1.2, 1.2)
    part = send(terminal, SELL, 0.1, position=one.order)
    assert part.retcode == mt5.TRADE_RETCODE_DONE
    held = {p.identifier: (p.type, p.volume) for p in terminal.positions_get()}
    assert held == {one.order: (BUY, 0.2), two.order: (SELL, 0.2)}
    closed = trades(terminal)[-1]
    assert (closed.entry, closed.position_id, closed.profit) == (1, one.order, 999.0)
    assert terminal.account_info().balance == 10999.0


def test_netting_adds_reduces_and_turns_one_position() -> None:
    terminal = new(NETTING)
    first = send(terminal, BUY, 0.1).order
    terminal.step("quote", "EURUSD", 1.2, 1.2)
    send(terminal, BUY, 0.1)
    (held,) = terminal.positions_get()
    assert (held.ticket, held.volume, held.price_open) == (first, 0.2, 1.15005)
    send(terminal, SELL, 0.05)
    turned = send(terminal, SELL, 0.25).order
    (held,) = terminal.positions_get()
    assert (held.identifier, held.ticket, held.type) == (first, turned, SELL)
    assert (held.volume, held.price_open) == (0.1, 1.2)
    told = [(d.entry, d.volume, d.position_id) for d in trades(terminal)]
    assert told == [(0, 0.1, first), (0, 0.1, first), (1, 0.05, first), (2, 0.25, first)]


def test_close_by_books_the_pair_in_its_first_deal() -> None:
    terminal = new()
    buy = send(terminal, BUY, 0.3).order
    terminal.step("quote", "EURUSD", 1.2, 1.2)
    sell = send(terminal, SELL, 0.1).order
    done = terminal.order_send(
        {"action": mt5.TRADE_ACTION_CLOSE_BY, "position": buy, "position_by": sell}
    )
    assert done.retcode == mt5.TRADE_RETCODE_DONE
    (left,) = terminal.positions_get()
    assert (left.identifier, left.volume) == (buy, 0.2)
    pair = [(d.entry, d.type, d.position_id, d.profit) for d in trades(terminal)[-2:]]
    assert pair == [(3, SELL, buy, 999.0), (3, BUY, sell, 0.0)]
    order = terminal.history_orders_get(ticket=done.order)[0]
    assert (order.type, order.position_by_id) == (mt5.ORDER_TYPE_CLOSE_BY, sell)


@pytest.mark.parametrize(
    ("parts", "retcode", "state", "volumes"),
    [
        ((1.0,), mt5.TRADE_RETCODE_DONE, mt5.ORDER_STATE_FILLED, [1.0]),
        ((0.4, 0.6), mt5.TRADE_RETCODE_DONE, mt5.ORDER_STATE_FILLED, [0.4, 0.6]),
        ((0.4,), mt5.TRADE_RETCODE_DONE_PARTIAL, mt5.ORDER_STATE_CANCELED, [0.4]),
    ],
)
def test_one_order_makes_a_deal_for_each_part(
    parts: tuple[float, ...], retcode: int, state: int, volumes: list[float]
) -> None:
    terminal = new()
    terminal.broker.parts.append(parts)
    answer = send(terminal, BUY)
    assert answer.retcode == retcode
    assert [deal.volume for deal in trades(terminal)] == volumes
    assert terminal.history_orders_get(ticket=answer.order)[0].state == state
    assert [p.volume for p in terminal.positions_get()] == [sum(volumes)]


@pytest.mark.parametrize(
    ("request_of", "retcode"),
    [
        ({"volume": 0.001}, mt5.TRADE_RETCODE_INVALID_VOLUME),
        ({"volume": 0.015}, mt5.TRADE_RETCODE_INVALID_VOLUME),
        ({"symbol": "NOTHERE"}, mt5.TRADE_RETCODE_INVALID),
        ({"symbol": "GBPUSD"}, mt5.TRADE_RETCODE_PRICE_OFF),
        ({"volume": 400.0}, mt5.TRADE_RETCODE_NO_MONEY),
        ({"sl": 1.3}, mt5.TRADE_RETCODE_INVALID_STOPS),
        ({"position": 5}, mt5.TRADE_RETCODE_POSITION_CLOSED),
        ({"type": 8}, mt5.TRADE_RETCODE_INVALID),
        ({"action": 99}, mt5.TRADE_RETCODE_INVALID),
        ({"action": mt5.TRADE_ACTION_REMOVE, "order": 5}, mt5.TRADE_RETCODE_INVALID_ORDER),
        ({"action": mt5.TRADE_ACTION_PENDING, "type": 2, "price": 1.3}, 10015),
        ({"sl": 1.0, "tp": 1.2}, mt5.TRADE_RETCODE_DONE),
    ],
)
def test_request_is_refused_with_its_code(request_of: dict[str, Any], retcode: int) -> None:
    terminal = new()
    terminal.market.add("GBPUSD")
    given = {"action": 1, "symbol": "EURUSD", "type": BUY, "volume": 1.0} | request_of
    assert terminal.order_send(given).retcode == retcode
    assert len(trades(terminal)) == (retcode == mt5.TRADE_RETCODE_DONE)


@pytest.mark.parametrize(
    ("kind", "asked", "far", "near"),
    [
        (mt5.ORDER_TYPE_BUY_LIMIT, 1.05, 1.06, 1.05),
        (mt5.ORDER_TYPE_SELL_LIMIT, 1.15, 1.14, 1.15),
        (mt5.ORDER_TYPE_BUY_STOP, 1.15, 1.14, 1.15),
        (mt5.ORDER_TYPE_SELL_STOP, 1.05, 1.06, 1.05),
    ],
)
def test_pending_order_waits_for_its_price(
    kind: int, asked: float, far: float, near: float
) -> None:
    terminal = new()
    ticket = pend(terminal, kind, asked).order
    terminal.step("quote", "EURUSD", far, far)
    (waiting,) = terminal.orders_get()
    assert (waiting.state, waiting.position_id) == (mt5.ORDER_STATE_PLACED, 0)
    terminal.market.clock.advance(60)
    terminal.step("quote", "EURUSD", near, near)
    (done,) = terminal.history_orders_get(ticket=ticket)
    assert (done.state, done.type, done.position_id) == (mt5.ORDER_STATE_FILLED, kind, ticket)
    assert done.time_done - done.time_setup == 60


def test_stop_limit_becomes_a_limit() -> None:
    terminal = new()
    pend(terminal, mt5.ORDER_TYPE_BUY_STOP_LIMIT, 1.15, stoplimit=1.12)
    terminal.step("quote", "EURUSD", 1.16, 1.16)
    (order,) = terminal.orders_get()
    assert (order.type, order.price_open) == (mt5.ORDER_TYPE_BUY_LIMIT, 1.12)
    terminal.step("quote", "EURUSD", 1.12, 1.12)
    assert trades(terminal)[0].price == 1.12


@pytest.mark.parametrize("how", ["removed", "expired", "modified"])
def test_pending_order_ends_or_changes(how: str) -> None:
    terminal = new()
    until = terminal.market.clock.msc() // 1000 + 60
    ticket = pend(
        terminal, mt5.ORDER_TYPE_BUY_LIMIT, 1.0, type_time=mt5.ORDER_TIME_SPECIFIED,
        expiration=until,
    ).order  # fmt: skip
    if how == "removed":
        terminal.order_send({"action": mt5.TRADE_ACTION_REMOVE, "order": ticket})
        assert terminal.history_orders_get(ticket=ticket)[0].state == mt5.ORDER_STATE_CANCELED
    elif how == "expired":
        terminal.market.clock.advance(60)
        terminal.step("quote", "EURUSD", 1.1, 1.1)
        assert terminal.history_orders_get(ticket=ticket)[0].state == mt5.ORDER_STATE_EXPIRED
    else:
        terminal.order_send(
            {"action": mt5.TRADE_ACTION_MODIFY, "order": ticket, "price": 1.01, "sl": 0.9}
        )
        assert [(o.price_open, o.sl) for o in terminal.orders_get()] == [(1.01, 0.9)]


@pytest.mark.parametrize(
    ("price", "reason", "comment"), [(0.99, 4, "[sl 1]"), (1.21, 5, "[tp 1.2]"), (1.1, None, None)]
)
def test_stop_and_target_close_with_their_reason(
    price: float, reason: int | None, comment: str | None
) -> None:
    terminal = new()
    send(terminal, BUY, sl=1.0, tp=1.2)
    terminal.step("quote", "EURUSD", price, price)
    closed = [(d.reason, d.comment) for d in trades(terminal) if d.entry == mt5.DEAL_ENTRY_OUT]
    assert closed == ([(reason, comment)] if reason else [])


def test_stop_out_closes_what_loses_most_until_margin_is_enough() -> None:
    terminal = new()
    kept, lost = send(terminal, BUY, 1.0).order, send(terminal, BUY, 3.0).order
    terminal.step("quote", "EURUSD", 1.076, 1.076)
    assert [p.identifier for p in terminal.positions_get()] == [kept]
    out = trades(terminal)[-1]
    assert (out.position_id, out.reason) == (lost, mt5.DEAL_REASON_SO)
    assert out.comment.startswith("[so ")


def test_swap_is_booked_with_what_closes_in_proportion() -> None:
    terminal = new()
    ticket = send(terminal, BUY, 0.4).order
    terminal.step("charge_swap", -1.0)
    send(terminal, SELL, 0.1, position=ticket)
    assert trades(terminal)[-1].swap == -0.25
    assert terminal.positions_get()[0].swap == -0.75


def test_cancelled_deal_keeps_its_place_and_loses_its_money() -> None:
    terminal = new()
    ticket = send(terminal, BUY).order
    terminal.step("quote", "EURUSD", 1.2, 1.2)
    send(terminal, SELL, position=ticket)
    assert terminal.account_info().balance == 19990.0
    terminal.step("cancel_deal", trades(terminal)[-1].ticket)
    assert (trades(terminal)[-1].type, trades(terminal)[-1].profit) == (14, 0.0)
    assert terminal.account_info().balance == 10000.0
    assert [(p.identifier, p.volume) for p in terminal.positions_get()] == [(ticket, 1.0)]
    terminal.step("cancel_deal", trades(terminal)[0].ticket)
    assert not terminal.positions_get()


def test_archive_takes_old_closed_history_and_leaves_the_balance() -> None:
    terminal = new()
    closed, kept = send(terminal, BUY).order, send(terminal, BUY, 0.1).order
    send(terminal, SELL, position=closed)
    before = terminal.account_info().balance
    terminal.market.clock.advance(60)
    terminal.step("archive", terminal.market.clock.msc())
    assert [(d.type, d.position_id) for d in terminal.history_deals_get(*EVER)] == [
        (BUY, kept), (mt5.DEAL_TYPE_CORRECTION, 0),
    ]  # fmt: skip
    assert terminal.account_info().balance == before


def random_step(terminal: Terminal, chance: random.Random) -> None:
    """Something that happens on an account."""
    held = terminal.positions_get()
    terminal.market.clock.advance(chance.randrange(1, 5000))
    price = round(chance.uniform(1.08, 1.12), 5)
    terminal.step("quote", "EURUSD", price, price)
    roll = chance.random()
    volume = chance.randrange(1, 50) / 100
    if roll < 0.1:
        terminal.step("operation", chance.randrange(-500, 900), chance.choice([2, 3, 4, 6]))
    elif roll < 0.2:
        terminal.step("charge_swap", -0.07)
    elif roll < 0.35 and held:
        one = chance.choice(held)
        part = max(round(one.volume * chance.random(), 2), 0.01)
        send(terminal, 1 - one.type, part, position=one.identifier)
    elif roll < 0.45 and len(held) > 1:
        pair = chance.sample(held, 2)
        terminal.order_send({
            "action": mt5.TRADE_ACTION_CLOSE_BY, "position": pair[0].identifier,
            "position_by": pair[1].identifier,
        })  # fmt: skip
    elif roll < 0.5:
        pend(terminal, chance.randrange(2, 6), round(price + chance.uniform(-0.01, 0.01), 5))
    else:
        terminal.broker.parts.append(chance.choice([(1.0,), (0.4, 0.6), (0.3,)]))
        send(terminal, chance.choice([BUY, SELL]), volume)


@pytest.mark.parametrize("mode", [NETTING, HEDGING])
@pytest.mark.parametrize("seed", range(3))
def test_books_add_up_after_any_history(mode: int, seed: int) -> None:
    """Balance and credit are sums of deals; open is what deals opened and did not close."""
    terminal, chance = new(mode, commission=Decimal("-3.5")), random.Random(seed)
    for _ in range(300):
        random_step(terminal, chance)
    deals, account = terminal.history_deals_get(*EVER), terminal.account_info()
    moved = {True: 0, False: 0}
    open_lots: dict[int, float] = defaultdict(float)
    for deal in deals:
        money = deal.profit + deal.commission + deal.swap + deal.fee
        moved[deal.type == mt5.DEAL_TYPE_CREDIT] += round(money * 100)
        open_lots[deal.position_id] += -deal.volume if deal.type else deal.volume
    assert (moved[False], moved[True]) == (
        round(account.balance * 100),
        round(account.credit * 100),
    )
    held = {p.identifier: -p.volume if p.type else p.volume for p in terminal.positions_get()}
    told = {n: round(v, 8) for n, v in open_lots.items() if round(v, 8)}
    assert told == held
    assert len({deal.ticket for deal in deals}) == len(deals) > 200
    entries = {deal.entry for deal in deals}
    assert entries == {0, 1, 2} if mode == NETTING else {0, 1, 3}
