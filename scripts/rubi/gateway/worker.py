"""One terminal's loop: what is due is read, put into parcels and delivered."""

import time
from collections.abc import Iterator

from rubi.gateway import clocks, history, series
from rubi.gateway.delivery import Delivery
from rubi.gateway.history import Clock, Stream
from rubi.gateway.parcels import Parcel
from rubi.gateway.reading import Picture, Reader, Switched, identity
from rubi.gateway.sending import Away
from rubi.gateway.settings import Options
from rubi.gateway.spool import SpoolError
from rubi.gateway.terminals import Row, Terminal

DAY = history.DAY
STREAMS = "SELECT s.* FROM read_gateway_streams(%s) AS s"
WAITING = "SELECT find_waiting_mt5_orders(%s)"
# a change is looked for in the latest hour, a correction in the latest days
SHORT_OVERLAP = 3600


class Worker(clocks.Timing):
    """Reads one terminal for one user."""

    def __init__(self, terminal: Terminal, user: str, delivery: Delivery, options: Options) -> None:
        self.terminal, self.user, self.options = terminal, user, options
        self.delivery = delivery
        self.reader = Reader(terminal, options.present)
        self.pulse = clocks.Pulse(terminal)
        self.clock = Clock(present=options.present)
        self.account_id: int | None = None
        self.streams: dict[tuple[str, str], Stream] = {}
        self.due: dict[str, float] = {}
        self.backfill: Iterator[None] | None = None
        self.sent: Picture | None = None
        self.is_ready = False
        self.has_read = False  # the history that was missing at the beginning
        self.misfit = ""
        self.note = ""

    # What is known before reading

    def begin(self) -> None:
        """Open the terminal and learn all that reading needs. Raises TerminalError, Away,
        Failure."""
        self.terminal.open()
        self.reader.identity = None
        account = self.reader.account()
        wanted = self.terminal.login.get("login")
        if wanted and account.get("login") != wanted:
            raise Switched(f"the terminal is logged into {account.get('login')}, not {wanted}")
        self.reader.identity = identity(account)
        self.reader.last = self.sent = None
        self.learn(account)
        self.settle_clock()
        self.note_since()
        self.remember()
        # a terminal that is opened each night still has its whole history read
        whole = self.due.get("whole", time.monotonic() + self.options.seconds("whole"))
        self.due = {"whole": whole}
        self.has_read = False
        self.backfill = self.read_missing()
        self.is_ready = True

    def parcel(self) -> Parcel:
        server, login = self.reader.identity or ("", "")
        at = self.options.present().isoformat()
        return Parcel(self.user, server, login, at, clock=self.clock.rule)

    def learn(self, account: Row) -> None:
        """Account, clock and watermarks: from the database, else what the spool remembers."""
        server, login = identity(account)
        name = f"{self.user} {login} {server}"
        try:
            found = self.delivery.database.find(self.user, server, login)
            if not self.options.dry_run:
                self.delivery.database.hold(self.user, server, login, self.delivery)
            if found[1] is None and not self.options.dry_run:
                parcel = self.parcel()
                parcel.add("account", account)
                self.deliver(parcel)
                found = self.delivery.database.find(self.user, server, login)
            _, self.account_id, self.clock.rule, self.clock.minutes = found
            self.load_streams()
            for (ticket,) in self.delivery.database.fetch(WAITING, [self.account_id]):
                self.reader.ending[ticket] = time.monotonic()
        except Away as error:
            self.delivery.is_away(error)
            known = self.delivery.guarded(lambda: self.delivery.spool.known(name))
            if not known:
                raise
            self.clock = Clock(**known["clock"], present=self.options.present)
            self.streams = {
                (one["stream"], one["symbol"]): Stream(**one) for one in known["streams"]
            }

    def deliver(self, parcel: Parcel) -> None:
        """Deliver a parcel. One that can't even be kept was not read: all is begun again then."""
        try:
            self.delivery.accept(parcel)
        except SpoolError:
            self.is_ready = False
            raise

    def load_streams(self) -> None:
        """Streams that are asked for, and how far each was read."""
        if self.account_id is None:
            rows = [("deals", "", None, None, None, None), ("orders", "", None, None, None, None)]
        else:
            rows = self.delivery.database.fetch(STREAMS, [self.account_id])
        self.streams = {(row[0], row[1]): Stream(*row) for row in rows}

    def remember(self) -> None:
        """Keep in the spool what a start without the database needs."""
        if self.options.dry_run:
            return
        server, login = self.reader.identity or ("", "")
        known = {
            "clock": {"rule": self.clock.rule, "minutes": self.clock.minutes},
            "streams": [vars(stream) for stream in self.streams.values()],
        }
        name = f"{self.user} {login} {server}"
        self.delivery.guarded(lambda: self.delivery.spool.know(name, known))

    # The loop

    def is_due(self, kind: str) -> bool:
        """Whether a kind is due now; its next time is set."""
        at = time.monotonic()
        if at < self.due.get(kind, 0):
            return False
        self.due[kind] = at + self.options.seconds(kind)
        return True

    def step(self) -> float:
        """One round; answers the seconds until the next is due. Raises what reading raises."""
        if not self.is_ready:
            self.begin()
        self.delivery.drain()
        if self.is_due("state"):
            self.read_state()
        self.read_clock()
        if self.is_due("symbols"):
            self.read_symbols()
        if self.backfill is None and time.monotonic() >= self.due.get("whole", 0):
            self.backfill = self.read_whole()
        if self.backfill:
            if next(self.backfill, "end") == "end":
                self.backfill = None
            return 0.0
        if self.is_due("series"):
            self.backfill = self.read_series()
            return 0.0
        return max(0.0, min(self.due["state"], self.due["series"]) - time.monotonic())

    def once(self) -> None:
        """Everything, once: the history to its end first, then what holds now."""
        self.begin()
        for _ in self.read_missing():
            pass
        self.read_state()
        self.read_symbols()
        for _ in self.read_series():
            pass
        if self.clock.minutes is not None:
            self.watch()
            self.report_clock(self.pulse.wait(self.options.patience))
        self.delivery.drain(all_of_it=True)

    # What is read

    def read_state(self) -> None:
        """Positions and waiting orders, the account's figures, and the history that is new."""
        is_full = self.is_due("history")
        picture = self.reader.picture(lambda: self.recent(is_full), is_full)
        beat = self.is_due("heartbeat")
        last = self.sent
        parcel = self.parcel()
        parcel.taken_at = picture.taken_at
        if beat or last is None or last.trade() != picture.trade() or picture.history:
            parcel.add("account", picture.account)
        for kind in ("orders", "deals"):
            if kind in picture.history:
                parcel.add(kind, picture.history[kind], window=self.span(is_full))
                if self.streams[kind, ""].read_to is not None:
                    # what was never read begins with its first day: an interrupted reading of it
                    # would not go on behind a watermark of today
                    self.advance(parcel, kind, self.span(is_full))
        if ended := picture.history.get("ended"):
            parcel.add("orders", ended)
        if beat or last is None or last.orders != picture.orders:
            parcel.add("orders", picture.orders)
        if not picture.is_sure:
            self.delivery.fault(
                "no positions for a while, but the account has a margin: what was open counts as"
                " open until the margin is 0 or the deals show the closing"
            )
        elif beat or last is None or last.positions != picture.positions:
            parcel.add("positions", picture.positions)
        if parcel.calls:
            self.deliver(parcel)
        self.sent = picture
        if beat and self.delivery.waiting:
            self.remember()
        is_short = not self.has_read or any(self.has_gap(kind) for kind in ("orders", "deals"))
        if self.backfill is None and is_short:
            self.backfill = self.read_missing()

    def has_gap(self, kind: str) -> bool:
        """Whether the latest history does not touch what was read before."""
        read_to = self.streams[kind, ""].read_to
        return read_to is None or read_to < self.span(False)[0]

    def span(self, is_full: bool) -> history.Window:
        """The latest history in milliseconds on the server's clock: an overlap, and a day ahead."""
        overlap = self.options.overlap_days * DAY if is_full else SHORT_OVERLAP
        at = self.clock.seconds()
        return int(at - overlap) * 1000, (at + DAY) * 1000

    def recent(self, is_full: bool) -> dict[str, list[Row]]:
        start, end = (msc // 1000 for msc in self.span(is_full))
        return {
            kind: self.reader.rows(f"history_{kind}_get", start, end)
            for kind in ("orders", "deals")
        }

    def advance(self, parcel: Parcel, name: str, window: history.Window, symbol: str = "") -> None:
        """Note in the parcel, and here, how far a stream is read: never beyond now."""
        span = window[0], min(window[1], self.clock.seconds() * 1000)
        if span[0] >= span[1]:
            return
        parcel.add("advance", stream=name, symbol=symbol, span=span)
        self.streams[name, symbol].advance(span)

    def first_day(self) -> int:
        since = self.options.since
        return int(since.timestamp()) if since else history.BEGIN

    def note_since(self) -> None:
        """Say what --since leaves out, where it was never read."""
        read = [self.streams[kind, ""].read_from for kind in ("orders", "deals")]
        if self.options.since and any(
            start is None or start > self.first_day() * 1000 for start in read
        ):
            self.note = (
                f"the history before {self.options.since:%Y-%m-%d} was never read and is left out:"
                " a start without --since reads it"
            )

    def read_missing(self) -> Iterator[None]:
        """The history that was never read, and the overlap; from its day on where --since asks."""
        starts = []
        for kind in ("orders", "deals"):
            stream, start = self.streams[kind, ""], self.first_day()
            is_whole = stream.read_from is not None and stream.read_from <= history.BEGIN * 1000
            if is_whole and not self.options.since:
                overlap = int(self.options.overlap_days * DAY)
                start = max(start, stream.read_to // 1000 - overlap)
            starts.append(start)

        def reading() -> Iterator[None]:
            yield from self.read_from(*starts)
            self.has_read = True

        return reading()

    def read_whole(self) -> Iterator[None]:
        """The whole history once more; after an hour again where something went wrong."""
        self.due["whole"] = time.monotonic() + min(3600, self.options.seconds("whole"))
        yield from self.read_from(self.first_day(), self.first_day())
        self.due["whole"] = time.monotonic() + self.options.seconds("whole")

    def read_from(self, orders: int, deals: int) -> Iterator[None]:
        """The history from two moments on, window by window; yields after each parcel."""
        for kind, start in (("orders", orders), ("deals", deals)):
            end = self.clock.seconds() + DAY
            found = history.windows(self.reader, kind, start, end)
            for piece, rows in history.joined(history.pieces(kind, found)):
                parcel = self.parcel()
                parcel.add(kind, rows, window=piece)
                self.advance(parcel, kind, piece)
                self.deliver(parcel)
                yield

    def read_series(self) -> Iterator[None]:
        """Bars and ticks that are asked for; yields after each parcel."""
        for stream in [one for one in self.streams.values() if one.symbol]:
            for window, rows in series.news(self.terminal, stream, self.clock):
                self.reader.account()  # another server's prices are not this one's
                parcel = self.parcel()
                if rows and stream.stream == "TICK":
                    parcel.add("ticks", rows, symbol=stream.stored_as)
                elif rows:
                    parcel.add("bars", rows, symbol=stream.stored_as, timeframe=stream.stream)
                span = window[0] * 1000, window[1] * 1000
                self.advance(parcel, stream.stream, span, stream.symbol)
                if parcel.calls:
                    self.deliver(parcel)
                yield

    def read_symbols(self) -> None:
        """Terms of the symbols that are held or asked for, and what else is asked for by now."""
        if not (self.delivery.waiting or self.delivery.away):
            self.load_streams()
        names = {symbol for _, symbol in self.streams if symbol}
        if self.reader.last:
            names |= {row["symbol"] for row in self.reader.last.positions}
        rows = [row for name in sorted(names) for row in self.terminal.rows("symbol_info", name)]
        if rows:
            self.reader.account()  # another server's terms are not this one's
            parcel = self.parcel()
            parcel.taken_at = self.options.present().isoformat()
            parcel.add("symbols", rows)
            self.deliver(parcel)
