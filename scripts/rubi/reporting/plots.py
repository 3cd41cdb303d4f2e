"""The plots of page/page.js: numbers for the eye, and a sentence for people who hear the page.

Figures that are read stand in tables, exact; floats are for drawing only.
"""

from bisect import bisect_right
from datetime import UTC, date, datetime
from typing import Any

from rubi.reporting.candles import Candles
from rubi.reporting.figures import POINTS, Report
from rubi.reporting.wording import WEEKDAYS, Writer, counted, moment, plain

BARS = 14  # symbols with a bar of their own
Plot = dict[str, Any]


def milliseconds(value: datetime | date) -> int:
    """Since 1970 UTC, as scripts of a page count."""
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    return round(value.timestamp() * 1000)


def number(value: Any, digits: int = 8) -> float | None:
    """For drawing."""
    return None if value is None else round(float(value), digits)


def equity_plot(report: Report, write: Writer) -> Plot | None:
    """Balance and equity by day with the fall from the high."""
    if len(report.equity) < 2:
        return None
    days = [milliseconds(row["day"]) for row in report.equity]
    first, last = report.equity[0], report.equity[-1]
    falls = [row["drawdown_percent"] or 0 for row in report.equity]
    return {
        "label": f"Equity by day: from {write(first['equity'], 'money')} on"
        f" {moment(first['day'])} to {write(last['equity'], 'money')} on {moment(last['day'])};"
        f" deepest fall below its high {write(max(falls), 'percent')}.",
        "days": days,
        "equity": [number(row["equity"], write.digits) for row in report.equity],
        "balance": [number(row["balance"], write.digits) for row in report.equity],
        "fall": [-number(fall, 2) for fall in falls],
    }


def curve_plot(report: Report, write: Writer) -> Plot | None:
    """Running result, trade by trade, with the fall below its high."""
    if not report.curve:
        return None
    points, falls = [], []
    for part in report.curve:
        ends = {
            (part["low_number"], milliseconds(part["low_at"]), number(part["low"], write.digits)),
            (
                part["high_number"],
                milliseconds(part["high_at"]),
                number(part["high"], write.digits),
            ),
        }
        points += [[at, total] for _, at, total in sorted(ends)]
        falls.append([milliseconds(part["fall_at"]), -number(part["fall"], write.digits)])
    last = report.curve[-1]
    points.append([milliseconds(last["last_at"]), number(last["last"], write.digits)])
    trades = sum(part["trades"] for part in report.curve)
    return {
        "label": f"Running net result of {counted(trades, 'trades')}, ending at"
        f" {write(last['last'], 'money')}; deepest fall below its high"
        f" {write(max(part['fall'] for part in report.curve), 'money')}.",
        "points": points,
        "falls": falls,
        "trades": trades,
    }


def curve_note(report: Report, write: Writer) -> str:
    """The omissions of a drawing, in one sentence; empty when there are none."""
    trades = sum(part["trades"] for part in report.curve)
    if trades <= POINTS:
        return ""
    return (
        f"{write(trades, 'count')} trades are drawn in {write(POINTS, 'count')} groups of about"
        f" {write(round(trades / POINTS), 'count')}: the lowest and the highest point of each, so"
        " every peak and every fall is there. Figures and tables count every trade."
    )


def bin_label(row: dict[str, Any], write: Writer, unit: str = "") -> str:
    """A bin's limits; the lower one belongs to it. unit: R, else money."""
    low, high = (
        f"{write(row[end], 'lots')} {unit}" if unit else write(row[end], "money")
        for end in ("low", "high")
    )
    if row["is_open_below"]:
        return f"below {high}"
    return f"from {low}" if row["is_open_above"] else f"{low} to {high}"


def distribution_plot(rows: list[dict[str, Any]], write: Writer, unit: str = "") -> Plot | None:
    """Trades by net result, or by its multiple of the risk where the unit is R."""
    if not rows:
        return None
    most = max(rows, key=lambda row: row["trades"])
    return {
        "label": f"Trades by {'result in R' if unit else 'net result'}: most of them,"
        f" {write(most['trades'], 'count')}, in the bin {bin_label(most, write, unit)}.",
        "names": [bin_label(row, write, unit) for row in rows],
        "ticks": [plain(row["low"]) for row in rows],
        "trades": [row["trades"] for row in rows],
        "gains": [row["low"] >= 0 or row["is_open_above"] for row in rows],
    }


def bars(rows: list[dict[str, Any]], names: list[str], what: str, write: Writer) -> Plot:
    best = max(rows, key=lambda row: row["net_profit"])
    worst = min(rows, key=lambda row: row["net_profit"])
    return {
        "label": f"Net result by {what}: best {names[rows.index(best)]} with"
        f" {write(best['net_profit'], 'money')}, worst {names[rows.index(worst)]} with"
        f" {write(worst['net_profit'], 'money')}.",
        "names": names,
        "net": [number(row["net_profit"], write.digits) for row in rows],
        "trades": [row["trades"] for row in rows],
        "rate": [number(row["win_rate"], 1) for row in rows],
    }


def extremes(rows: list[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    """The best and the worst of many, best first."""
    if len(rows) <= limit:
        return rows
    return rows[: limit // 2] + rows[-(limit - limit // 2) :]


def every(rows: list[dict[str, Any]], keys: range) -> list[dict[str, Any]]:
    """A row for each key, an empty one where the key has none."""
    found = {row["key"]: row for row in rows}
    empty = {"net_profit": 0, "trades": 0, "win_rate": None}
    return [found.get(key) or {"key": key, **empty} for key in keys]


def candles_plot(candles: Candles, write: Writer) -> Plot:
    """Bars without the hours the market was closed, and trades from entry to exit."""
    opens = [bar["timestamp"] for bar in candles.bars]
    trades = []
    for trade in candles.trades:
        trades.append(
            {
                "from": max(bisect_right(opens, trade["opened_at"]) - 1, 0),
                "to": max(bisect_right(opens, trade["closed_at"]) - 1, 0),
                "open": number(trade["open_price"]),
                "close": number(trade["close_price"]),
                "buy": trade["order_type"].startswith("BUY"),
                "won": trade["net"] > 0,
                "text": f"{trade['order_type']} {write(trade['volume'], 'lots')}"
                f" at {write(trade['open_price'], 'price')},"
                f" closed at {write(trade['close_price'], 'price')}:"
                f" {write(trade['net'], 'money')}",
            }
        )
    return {
        "label": f"Candles of {candles.symbol}, {candles.timeframe}, {moment(opens[0])} to"
        f" {moment(opens[-1])} UTC, with {counted(len(trades), 'trades')} from entry to exit.",
        "symbol": candles.symbol,
        "timeframe": candles.timeframe,
        "times": [milliseconds(at) for at in opens],
        "bars": [[number(bar[name]) for name in ("open", "close", "low", "high")]
                 for bar in candles.bars],
        "trades": trades,
    }  # fmt: skip


def plots(report: Report, write: Writer) -> dict[str, Plot]:
    """Everything that is drawn, by the name of its place on the page."""
    made: dict[str, Plot | None] = {
        "equity": equity_plot(report, write),
        "curve": curve_plot(report, write),
        "distribution": distribution_plot(report.distribution, write),
    }
    if report.symbols:
        shown = extremes(report.symbols, BARS)
        made["symbols"] = bars(shown, [row["key"] for row in shown], "symbol", write)
        hours = every(report.hours, range(24))
        made["hours"] = bars(hours, [f"{row['key']:02}:00" for row in hours], "hour", write)
        days = every(report.weekdays, range(1, 8))
        made["weekdays"] = bars(days, list(WEEKDAYS), "weekday", write)
    if report.tags:
        shown = extremes(report.tags, BARS)
        made["tags"] = bars(shown, [row["key"] for row in shown], "tag", write)
    for index, candles in enumerate(report.candles):
        made[f"candles{index}"] = candles_plot(candles, write)
    return {name: plot for name, plot in made.items() if plot}
