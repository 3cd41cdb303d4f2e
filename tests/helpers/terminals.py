"""A stand-in terminal for tests, and what is asked of it in short."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from faulty_terminals import Terminal
from rubi.terminal import constants as mt5

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
NETTING, HEDGING = mt5.ACCOUNT_MARGIN_MODE_RETAIL_NETTING, mt5.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
EVER = (0, 1 << 40)
BUY, SELL = mt5.ORDER_TYPE_BUY, mt5.ORDER_TYPE_SELL


def new(mode: int = HEDGING, **more: Any) -> Terminal:
    """A terminal whose clock stands, without a deposit's deal in the way of what is counted."""
    return Terminal.new(margin_mode=mode, at=NOON, **more)


def send(terminal: Terminal, kind: int, volume: float = 1.0, **more: Any) -> Any:
    """A market order of EURUSD, other fields as given."""
    request = {"action": mt5.TRADE_ACTION_DEAL, "symbol": "EURUSD", "type": kind, "volume": volume}
    return terminal.order_send(request | more)


def pend(terminal: Terminal, kind: int, price: float, **more: Any) -> Any:
    """A pending order of EURUSD."""
    return send(terminal, kind, action=mt5.TRADE_ACTION_PENDING, price=price, **more)


def trades(terminal: Terminal) -> list[Any]:
    """Deals except for the deposit's."""
    return [deal for deal in terminal.history_deals_get(*EVER) if deal.symbol]
