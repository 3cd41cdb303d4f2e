"""The gateway's history: windows, watermarks, overlaps."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

import mt5
import rows
from faulty_terminals import Terminal
from gateways import BUY, Gate, asked
from rubi.gateway import history
from rubi.gateway.history import Stream
from rubi.gateway.terminals import TerminalError
from rubi.terminal import constants as codes

HOUR, DAY = 3600, 86_400
WATERMARKS = "SELECT stream, read_from_msc, read_to_msc FROM gateway_watermarks WHERE symbol = ''"


@pytest.fixture
def gate(db: psycopg.Connection, server: Any, tmp_path: Any) -> Gate:
    return Gate(db, server.dsn(db.info.dbname, "rubi_ingest"), tmp_path, rows.user(db))


def old_terminal(days: int = 400, deals: int = 40) -> Terminal:
    """A terminal with a history over some days, whose clock then follows the machine's."""
    terminal = Terminal.new(at=datetime.now(UTC) - timedelta(days=days), deposit=1_000_000)
    for _ in range(deals):
        terminal.market.clock.advance(days * DAY / deals - 60)
        terminal.order_send(BUY | {"volume": 0.01})
    terminal.market.clock.set(None)
    return terminal


def test_whole_history_is_read_from_its_first_day(gate: Gate) -> None:
    terminal = old_terminal()
    gate.once(terminal)
    assert gate.stored()["deals"] == 41
    assert mt5.violations(gate.db) == {}


def test_watermarks_reach_from_the_first_day_to_now_and_no_further(gate: Gate) -> None:
    before = time.time()
    gate.once(old_terminal())
    found = {stream: span for stream, *span in gate.db.execute(WATERMARKS).fetchall()}
    assert set(found) == {"deals", "orders"}
    clock = "SELECT mt5_clock_minutes('StandIn-Demo', now())"
    ahead = 60 * gate.db.execute(clock).fetchone()[0]
    for first, last in found.values():
        assert first == history.BEGIN * 1000
        assert before - 1 <= last / 1000 - ahead <= time.time()


@pytest.mark.parametrize("days", [1, 3, 10])
def test_second_reading_begins_an_overlap_before_the_first_ended(gate: Gate, days: int) -> None:
    terminal = old_terminal()
    gate.once(terminal)
    (read_to,) = gate.db.execute(
        "SELECT read_to_msc FROM gateway_watermarks WHERE stream = 'deals'"
    ).fetchone()
    calls = asked(terminal, "history_deals_get")
    gate.once(terminal, overlap_days=days)
    assert min(first for first, _ in calls) == pytest.approx(read_to // 1000 - days * DAY, abs=60)


def test_since_reads_from_that_day_once_more(gate: Gate) -> None:
    terminal = old_terminal()
    gate.once(terminal)
    calls = asked(terminal, "history_deals_get")
    day = datetime.now(UTC) - timedelta(days=100)
    gate.once(terminal, since=day)
    assert min(first for first, _ in calls) == int(day.timestamp())


@pytest.mark.parametrize("days", [None, 100], ids=["missing", "since"])
def test_history_that_failed_is_read_by_the_next_round(gate: Gate, days: int | None) -> None:
    terminal = old_terminal()
    if days:
        gate.once(terminal)
    since = datetime.now(UTC) - timedelta(days=days) if days else None
    worker = gate.worker(terminal, since=since)
    worker.begin()
    terminal.link.drop(codes.RES_E_NOT_FOUND, calls=1)
    with pytest.raises(TerminalError):
        list(worker.backfill)
    calls = asked(terminal, "history_deals_get")
    for _ in range(2):
        worker.due["state"] = 0
        gate.settle(worker)
    first = int(since.timestamp()) if since else history.BEGIN
    assert min(call[0] for call in calls if call) == first
    assert gate.stored()["deals"] == 41


def test_whole_reading_is_due_though_the_terminal_is_opened_again(gate: Gate) -> None:
    worker = gate.worker(Terminal.new())
    worker.begin()
    worker.due["whole"] = 7.0
    worker.begin()
    assert worker.due["whole"] == 7.0
    for _ in worker.read_whole():
        pass
    assert worker.due["whole"] > time.monotonic() + 3600


def test_deal_that_came_late_into_the_overlap_is_found(gate: Gate) -> None:
    terminal = old_terminal(days=2, deals=4)
    terminal.view.hold_history()
    late = terminal.books.operation(5)
    gate.once(terminal)
    assert gate.stored()["deals"] == 5
    terminal.view.release_history()
    gate.once(terminal)
    assert gate.db.execute(
        "SELECT count(*) FROM trading_deals WHERE ticket = %s", [late.ticket]
    ).fetchone() == (1,)


def test_interrupted_reading_goes_on_where_it_ended(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_OF_A_CALL", 8)
    terminal = old_terminal(deals=60)
    worker = gate.worker(terminal)
    worker.begin()
    for _ in range(12):
        next(worker.backfill)
    stored = gate.stored()["orders"]
    assert 0 < stored < 60
    (read_to,) = gate.db.execute(
        "SELECT read_to_msc FROM gateway_watermarks WHERE stream = 'orders'"
    ).fetchone()
    calls = asked(terminal, "history_orders_get")
    gate.once(terminal, overlap_days=0)
    assert min(call[0] for call in calls if call) >= read_to // 1000
    assert gate.stored()["deals"] == 61 and gate.stored()["orders"] == 60
    assert mt5.violations(gate.db) == {}


def test_first_reading_that_was_interrupted_goes_on_though_the_state_was_read(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_OF_A_CALL", 8)
    terminal = old_terminal(deals=60)
    worker = gate.worker(terminal)
    for _ in range(5):
        worker.step()
    assert worker.backfill and 0 < gate.stored()["orders"] < 60
    gate.once(terminal)
    assert gate.stored()["deals"] == 61 and gate.stored()["orders"] == 60
    assert mt5.violations(gate.db) == {}


class Limited:
    """A terminal that answers windows of at most so many rows or seconds."""

    def __init__(self, most: int, seconds: int = 1 << 40, code: int = -10005) -> None:
        self.most, self.seconds, self.code = most, seconds, code
        self.times = [history.BEGIN + n * 7 * HOUR for n in range(3000)]
        self.calls = 0

    def count(self, name: str, at: int, stop: int) -> int:
        self.calls += 1
        if stop - at > self.seconds:
            raise TerminalError(name, self.code, "too much")
        return sum(at <= moment <= stop for moment in self.times)

    def rows(self, name: str, at: int, stop: int) -> list[dict[str, int]]:
        found = [
            {"ticket": moment, "time": moment} for moment in self.times if at <= moment <= stop
        ]
        assert len(found) <= self.most
        return found


@pytest.mark.parametrize(
    "terminal",
    [Limited(100), Limited(3001), Limited(500, 9 * DAY), Limited(500, 90_000, codes.RES_E_FAIL)],
    ids=["few rows", "any", "timeouts", "failures"],
)
def test_windows_meet_and_stay_below_the_terminals_limits(
    terminal: Limited, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_OF_A_CALL", terminal.most)
    end = history.BEGIN + 3000 * 7 * HOUR
    at, tickets = history.BEGIN, set()
    for (first, last), found in history.windows(terminal, "deals", history.BEGIN, end):
        assert first == at < last
        at = last
        tickets.update(row["ticket"] for row in found)
    assert at == end
    assert tickets == set(terminal.times)
    assert terminal.calls < 1500


def test_terminal_that_always_fails_is_not_asked_for_ever() -> None:
    terminal = Limited(1, seconds=-1)
    with pytest.raises(TerminalError):
        list(history.windows(terminal, "deals", history.BEGIN, history.BEGIN + 365 * DAY))
    assert terminal.calls < 10


@pytest.mark.parametrize("number", [0, 1, 999, 1000, 1001, 5000])
def test_pieces_meet_and_hold_every_row_of_their_time(number: int) -> None:
    window = (history.BEGIN, history.BEGIN + DAY)
    given = [{"ticket": n, "time": history.BEGIN + n // 3} for n in reversed(range(number))]
    at, tickets = window[0] * 1000, []
    for (first, last), found in history.pieces("deals", iter([(window, given)])):
        assert first == at < last
        assert all(first <= row["time"] * 1000 < last for row in found)
        assert len(found) <= 1000
        at = last
        tickets += [row["ticket"] for row in found]
    assert at == window[1] * 1000
    assert sorted(tickets) == list(range(number))


def test_empty_windows_join_the_next_that_has_rows() -> None:
    given = [((0, 5), []), ((5, 7), []), ((7, 9), [{}]), ((9, 10), [{}, {}]), ((10, 11), [])]
    assert list(history.joined(iter(given))) == [
        ((0, 9), [{}]), ((9, 10), [{}, {}]), ((10, 11), []),
    ]  # fmt: skip
    assert list(history.joined(iter(given[:2]))) == [((0, 7), [])]


def test_many_rows_of_one_second_stay_in_one_piece() -> None:
    window = (history.BEGIN, history.BEGIN + DAY)
    given = [{"ticket": n, "time": history.BEGIN + 5} for n in range(2500)]
    assert [len(found) for _, found in history.pieces("deals", iter([(window, given)]))] == [2500]


@pytest.mark.parametrize(
    ("window", "span"),
    [
        ((10, 30), (10, 30)), ((20, 40), (10, 40)), ((5, 10), (5, 20)), ((0, 5), (10, 20)),
        ((21, 30), (10, 20)), ((12, 15), (10, 20)),
    ],
)  # fmt: skip
def test_watermark_grows_by_what_touches_it(
    db: psycopg.Connection, window: tuple[int, int], span: tuple[int, int]
) -> None:
    """Here as in the database."""
    account = mt5.open_account(db, rows.user(db))
    stream = Stream("deals")
    for first, last in ((10, 20), window):
        stream.advance((first, last))
        db.execute(
            "SELECT advance_gateway_watermark(%s, 'deals', '', %s, %s)", [account, first, last]
        )
    assert (stream.read_from, stream.read_to) == span
    assert db.execute(WATERMARKS).fetchall() == [("deals", *span)]


@pytest.mark.parametrize("number", [3, 50])
def test_deals_that_the_broker_archived_are_marked_by_the_whole_reading(
    gate: Gate, number: int
) -> None:
    terminal = old_terminal(deals=number)
    gate.once(terminal)
    gone = terminal.books.archive(terminal.market.clock.msc() - 30 * DAY * 1000)
    for _ in range(2):
        worker = gate.worker(terminal)
        worker.begin()
        for _ in worker.read_from(history.BEGIN, history.BEGIN):
            pass
        gate.db.execute("UPDATE internal.mt5_missed SET missed_at = missed_at - interval '1 hour'")
    marked = gate.db.execute("SELECT count(*) FROM trading_deals WHERE gone_since IS NOT NULL")
    assert marked.fetchone() == (len(gone),)
