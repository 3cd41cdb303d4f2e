"""Candles with the trades on them, and notes on the quality of the data."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from rubi.queries import queries
from rubi.reporting.figures import Report
from rubi.reporting.scope import Row, Scope, of_trades, rows
from rubi.reporting.wording import counted, duration

SYMBOLS = 4  # symbols with candles, those traded most
SQL = queries(__file__)
SHOWN_TRADES = 50  # of each, the last ones
SHOWN_BARS = 2000
PADDING = 30  # bars before the first of these trades and after the last
PROOF_SECONDS = 5


@dataclass(frozen=True)
class Candles:
    symbol: str
    bar_symbol: str
    timeframe: str
    stored_timeframe: str
    bars: list[Row]
    trades: list[Row]
    all_trades: int


@dataclass(frozen=True)
class Note:
    """A line on the quality of the data. state: good, bad, or open where unknown."""

    state: str
    title: str
    text: str


def read_bars(
    connection: psycopg.Connection,
    symbol: str,
    stored: str,
    timeframe: str,
    start: datetime,
    end: datetime,
) -> list[Row]:
    """Bars as stored, or made of shorter ones by resample_bars."""
    source = (
        "public.market_data AS b WHERE b.symbol = %(symbol)s AND b.timeframe = %(stored)s"
        " AND b.timestamp >= %(start)s AND b.timestamp < %(end)s"
        if stored == timeframe
        else "public.resample_bars(%(symbol)s, %(stored)s, %(timeframe)s, %(start)s, %(end)s) AS b"
    )
    found = rows(
        connection,
        "SELECT b.timestamp, b.open, b.high, b.low, b.close FROM "
        + source
        + " ORDER BY b.timestamp DESC LIMIT %(limit)s",
        {
            "symbol": symbol, "stored": stored, "timeframe": timeframe,
            "start": start, "end": end, "limit": SHOWN_BARS + 2 * PADDING,
        },
    )  # fmt: skip
    return found[::-1]


def read_candles(
    connection: psycopg.Connection, scope: Scope, wanted: str | None = None
) -> tuple[list[Candles], list[str]]:
    """Candles of the symbols traded most (or the one wanted), and the symbols without any bar."""
    # traded symbols, most traded first, with the timeframes there are bars of
    series = rows(connection, of_trades(SQL.SERIES), scope.parameters())
    priced = {row["symbol"] for row in series if row["timeframes"]}
    unpriced = list(dict.fromkeys(r["symbol"] for r in series if r["symbol"] not in priced))
    result: list[Candles] = []
    for row in series:
        if not row["timeframes"] or row["symbol"] in {made.symbol for made in result}:
            continue
        if len(result) == SYMBOLS or (wanted and row["symbol"] != wanted):
            continue
        trades = rows(
            connection,
            of_trades(SQL.TRADES),
            scope.parameters(symbol=row["symbol"], limit=SHOWN_TRADES),
        )
        first, last = min(t["opened_at"] for t in trades), trades[-1]["closed_at"]
        wanted_bars = {"stored": row["timeframes"], "span": last - first, "most": SHOWN_BARS}
        chosen = connection.execute(SQL.TIMEFRAME, wanted_bars).fetchone()
        if chosen is None:
            continue
        timeframe, stored, length = chosen
        around = length * PADDING
        bars = read_bars(
            connection, row["bar_symbol"], stored, timeframe, first - around, last + around
        )
        if bars:
            shown = [t for t in trades if t["closed_at"] >= bars[0]["timestamp"]]
            result.append(
                Candles(
                    row["symbol"], row["bar_symbol"], timeframe, stored, bars, shown, row["trades"]
                )
            )
    return result, unpriced


def proof_notes(connection: psycopg.Connection) -> list[Note]:
    """Whether figures that are kept twice agree, by monitoring.proofs."""
    # asked first: a refusal would be an ERROR in the server's log with each report
    may_read = connection.execute(SQL.MAY_READ_PROOFS).fetchone()
    if may_read != (True,):
        return [Note("open", "Proofs", "This login may not read them; rubi_monitor may.")]
    try:
        # rolled back, so that the limit ends with the proofs
        with connection.transaction(force_rollback=True):
            connection.execute(f"SET LOCAL statement_timeout = '{PROOF_SECONDS}s'")
            proofs = rows(connection, "SELECT name, violations, meaning FROM monitoring.proofs", {})
    except psycopg.errors.QueryCanceled:
        return [Note("open", "Proofs", f"The proofs took more than {PROOF_SECONDS} seconds.")]
    failed = [proof for proof in proofs if proof["violations"]]
    if not failed:
        return [Note("good", "Proofs", f"All {len(proofs)} hold, over all users.")]
    return [
        Note("bad", f"Proof of {p['name']}", f"{p['violations']} {p['meaning']}, over all users.")
        for p in failed
    ]


def gap_note(connection: psycopg.Connection, candles: Candles) -> Note:
    """Bars missing while the market was open, within what is drawn."""
    title = f"Bars of {candles.bar_symbol} ({candles.stored_timeframe})"
    start, end = candles.bars[0]["timestamp"], candles.bars[-1]["timestamp"]
    if candles.stored_timeframe in ("W1", "MN1"):
        return Note("open", title, "Gaps are found in bars of M1 to D1.")
    # asked first, as for the proofs
    (sessions,) = connection.execute(SQL.SESSIONS, {"symbol": candles.bar_symbol}).fetchone()
    if not sessions:
        return Note("open", title, "Gaps are unknown: its calendar has no sessions.")
    gaps, missing, longest = connection.execute(
        SQL.GAPS,
        {"symbol": candles.bar_symbol, "frame": candles.stored_timeframe, "start": start,
         "end": end},
    ).fetchone()  # fmt: skip
    if not gaps:
        return Note("good", title, f"No gap from {start:%Y-%m-%d} to {end:%Y-%m-%d}.")
    return Note(
        "bad", title,
        f"{counted(gaps, 'gaps')} with {counted(missing, 'missing bars')} from {start:%Y-%m-%d} to"
        f" {end:%Y-%m-%d}, the longest {duration(longest)} of trading time.",
    )  # fmt: skip


def order_notes(connection: psycopg.Connection, report: Report) -> list[Note]:
    """Orders that are closed and in no figure, and trades with too few facts."""
    scope = report.scope
    cancelled, nameless = connection.execute(SQL.UNTOLD, scope.parameters()).fetchone()
    notes = []
    if cancelled:
        notes.append(
            Note("open", "Orders that did not trade",
                 f"Closed without a price (cancelled, expired), in no figure: {cancelled}.")
        )  # fmt: skip
    if nameless:
        notes.append(
            Note("bad", "Trades without an account",
                 f"{nameless}: the currency of their money is not known.")
        )  # fmt: skip
    for other in report.other_currencies:
        name = other["currency"] or "no currency"
        notes.append(
            Note("open", f"Trades in {name}",
                 f"{other['trades']}, in no series of this page, as money of two currencies has"
                 " no sum: --account shows one account.")
        )  # fmt: skip
    return notes


def read_market(connection: psycopg.Connection, report: Report, wanted: str | None = None) -> None:
    """Add candles and notes to a report."""
    report.candles, unpriced = read_candles(connection, report.scope, wanted)
    notes: list[Any] = proof_notes(connection)
    notes += [gap_note(connection, candles) for candles in report.candles]
    if unpriced:
        notes.append(
            Note("bad", "Symbols without bars",
                 f"{', '.join(unpriced[:10])}{' and more' if unpriced[10:] else ''}: no prices in"
                 " market_data, so no candles, and excursions are unknown.")
        )  # fmt: skip
    report.notes = notes + order_notes(connection, report)
