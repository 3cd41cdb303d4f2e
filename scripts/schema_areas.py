"""The areas that docs/schema/ is cut into. A table that nobody placed goes by its schema."""

from __future__ import annotations

AREAS = {
    "users": "Users and accounts",
    "trading": "Signals, orders and positions",
    "mt5": "Ledger of MT5",
    "results": "Results and account states",
    "market": "Market data",
    "operations": "Operations",
}
NAMED = {
    "users": "users", "mt5_accounts": "users", "mt5_sessions": "users", "my_session": "users",
    "user_trading_stats": "results", "open_positions_with_session": "trading",
    "trading_deals": "mt5", "resampled_bars": "market", "account_risk": "results",
    "closed_trades": "results", "daily_equity": "results", "trade_series": "results",
    "balance_operations": "results", "performance_metrics": "results",
}  # fmt: skip
# the first that fits
ENDINGS = (("_results", "results"),)
BEGINNINGS = (
    ("trading_", "trading"), ("signal_", "trading"), ("execution_", "trading"),
    ("exposure_", "results"), ("account_", "results"), ("my_account", "results"),
    ("performance_", "results"), ("mt5_", "mt5"), ("market_", "market"),
)  # fmt: skip


def area_of(schema: str, name: str) -> str:
    """The area of a table or view."""
    if schema != "public":
        return "operations"
    if name in NAMED:
        return NAMED[name]
    for ending, area in ENDINGS:
        if name.endswith(ending):
            return area
    return next((area for start, area in BEGINNINGS if name.startswith(start)), "operations")
