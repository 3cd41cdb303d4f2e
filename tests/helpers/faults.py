"""What goes wrong between a gateway, its terminals, the server and the network."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from typing import Any

from faulty_terminals import Terminal
from full_brokers import Books
from gateway_field import MODES, Field
from remote_terminal import Served
from rubi.terminal import constants as mt5
from terminals import BUY, send

# Faults. Each happens when called and answers what ends it.

Heal = Callable[[], object]
Fault = Callable[[Field, random.Random], Heal]


def any_terminal(field: Field, chance: random.Random) -> Served:
    return field.served[chance.choice([*MODES])]


def gateway_killed(field: Field, chance: random.Random) -> Heal:
    """SIGKILL."""
    field.kill()
    return field.start


def gateway_ended(field: Field, chance: random.Random) -> Heal:
    """SIGTERM, as systemd sends."""
    field.process.send_signal(signal.SIGTERM)
    field.process.wait(60)
    return field.start


def backends_ended(field: Field, chance: random.Random) -> Heal:
    """The server ends the gateway's connections."""
    with field.connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rubi_ingest'"
        )
    return lambda: None


def server_killed(field: Field, chance: random.Random) -> Heal:
    """The whole server is killed, and recovers."""
    field.restart_server()
    return lambda: None


def network_cut(field: Field, chance: random.Random) -> Heal:
    """Connections end, and for a while none comes through."""
    field.proxy.is_down = True
    field.proxy.cut()

    def heal() -> None:
        field.proxy.is_down = False

    return heal


def answer_lost(field: Field, chance: random.Random) -> Heal:
    """The line ends within an answer: what was sent may be stored."""
    field.proxy.bytes_left = chance.randrange(0, 600)

    def heal() -> None:
        field.proxy.bytes_left = None

    return heal


def terminal_ended(field: Field, chance: random.Random) -> Heal:
    """The terminal is closed, and started again."""
    served = any_terminal(field, chance)
    served.end()
    return served.begin


def terminal_hangs(field: Field, chance: random.Random) -> Heal:
    """No answer."""
    served = any_terminal(field, chance)
    served.frozen.set()
    return served.frozen.clear


def calls_fail(field: Field, chance: random.Random) -> Heal:
    """Some call in the middle of a picture fails, and a few after it."""
    terminal = any_terminal(field, chance).terminal
    code = chance.choice([-1, -10001, -10002, -10004, -10005])
    calls = chance.randrange(1, 5)
    terminal.link.at_call(chance.randrange(1, 20), lambda: terminal.link.drop(code, calls))
    return terminal.link.restore


def somebody_logs_in(field: Field, chance: random.Random) -> Heal:
    """Another account, in the middle of a picture."""
    terminal = any_terminal(field, chance).terminal
    login = terminal.active
    other = next(n for n in terminal.broker.accounts if n != login)
    terminal.link.at_call(chance.randrange(1, 12), lambda: terminal.switch(other))

    def heal() -> None:
        with terminal.lock:
            terminal.link.hooks.clear()
            terminal.switch(login)

    return heal


def server_unseen(field: Field, chance: random.Random) -> Heal:
    """The terminal loses its trade server, or has just begun and knows nothing."""
    terminal = any_terminal(field, chance).terminal
    terminal.step(chance.choice(["offline", "starting"]))
    return lambda: terminal.step("online")


def history_late(field: Field, chance: random.Random) -> Heal:
    """Positions change before the history shows why."""
    terminal = any_terminal(field, chance).terminal
    terminal.step("hold_history")
    return lambda: terminal.step("release_history")


def history_piecemeal(field: Field, chance: random.Random) -> Heal:
    """The history comes late and in parts, the later deals first."""
    terminal = any_terminal(field, chance).terminal
    terminal.step("hold_history")

    def heal() -> None:
        books = terminal.books
        late = [*books.deals, *books.done_orders][-20:]
        terminal.step("release_history", late[::2])
        time.sleep(0.3)
        terminal.step("release_history")

    return heal


def positions_late(field: Field, chance: random.Random) -> Heal:
    """The history shows what positions do not yet."""
    terminal = any_terminal(field, chance).terminal
    terminal.step("hold_positions")
    return lambda: terminal.step("release_positions")


def history_disturbed(field: Field, chance: random.Random) -> Heal:
    """Rows come twice and in any order."""
    terminal = any_terminal(field, chance).terminal
    terminal.view.repeat(True)
    terminal.view.shuffle(chance.randrange(1 << 30))

    def heal() -> None:
        terminal.view.repeat(False)
        terminal.view.shuffle(None)

    return heal


def stopped_out(field: Field, chance: random.Random) -> Heal:
    """Positions are gone by a stop out before the history shows it."""
    terminal = any_terminal(field, chance).terminal
    with terminal.lock:
        terminal.step("hold_history")
        trader = Terminal(terminal.broker, terminal.active)
        size = min(max(round(trader.account_info().margin_free / 1300, 2), 0.01), 40)
        send(trader, BUY, size)
        tick = terminal.market.last["EURUSD"]
        terminal.broker.quote("EURUSD", tick.bid - 0.02, tick.bid - 0.02)
        terminal.broker.quote("EURUSD", tick.bid, tick.ask)
        if trader.account_info().balance < 5000:
            trader.books.operation(30_000, comment="deposit after the stop out")
    return lambda: terminal.step("release_history")


def deal_cancelled(field: Field, chance: random.Random) -> Heal:
    """The broker takes a deal back that closed a position; what it closed is open again."""
    books: Books = field.served["hedging"].terminal.books
    closed = [
        deal
        for deal in books.deals.values()
        if deal.entry == mt5.DEAL_ENTRY_OUT and deal.type in (0, 1)
    ]
    if closed:
        deal = books.cancel_deal(chance.choice(closed[-5:]).ticket)
        field.reopened.add(deal.position_id)
    return lambda: None


def history_archived(field: Field, chance: random.Random) -> Heal:
    """The broker drops old history; a part that the gateway has."""
    books: Books = any_terminal(field, chance).terminal.books
    stored = [deal.time_msc for deal in books.deals.values()]
    if len(stored) > 40:
        books.archive(sorted(stored)[len(stored) // 3])
    return lambda: None


FAULTS: dict[Fault, int] = {
    gateway_killed: 10, gateway_ended: 3, backends_ended: 8, server_killed: 3, network_cut: 8,
    answer_lost: 10, terminal_ended: 8, terminal_hangs: 3, calls_fail: 10, somebody_logs_in: 6,
    server_unseen: 8, history_late: 8, history_piecemeal: 6, positions_late: 6,
    history_disturbed: 8, stopped_out: 4, deal_cancelled: 2, history_archived: 2,
}  # fmt: skip


def told(books: Books) -> dict[str, dict[int, tuple[Any, ...]]]:
    """What a database should hold of an account: all that its books ever had."""
    deals = books.archived | books.deals
    return {
        "deals": {
            d.ticket: (
                d.type, d.entry, d.position_id, *(round(n * 100) for n in (d.volume, d.profit)),
                round((d.commission + d.swap) * 100),
            )
            for d in deals.values()
        },
        "orders": {o.ticket: o.state for o in (books.archived_orders | books.done_orders).values()},
        "positions": {
            p.identifier: (str(p.ticket), p.type, round(p.volume * 100), round(p.sl * 1e5))
            for p in books.positions.values()
        },
    }  # fmt: skip
