"""The gateway: a thread for each terminal, one database."""

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psycopg

from rubi.cli import Failure, one_line
from rubi.gateway.delivery import Delivery, spool_path
from rubi.gateway.holding import Held
from rubi.gateway.reading import Switched
from rubi.gateway.sending import Away, Closed, Database
from rubi.gateway.settings import Options
from rubi.gateway.spool import Spool, SpoolError
from rubi.gateway.terminals import Terminal, TerminalError
from rubi.gateway.worker import Worker

LONGEST_PAUSE = 30.0
# seconds that threads have to end
LONGEST_END = 30.0
TROUBLE = (TerminalError, Switched, Away, SpoolError, Failure)


class Lane:
    """One terminal in its thread: the worker, and what went wrong last."""

    def __init__(self, worker: Worker, say: Callable[[str], None]) -> None:
        self.worker, self.say = worker, say
        self.error = ""
        self.is_over = False
        self.pause = 0.0
        self.said = 0
        self.noted = ""

    def tell(self) -> None:
        """Say what happened since the last time."""
        if self.worker.note != self.noted:
            self.noted = self.worker.note
            self.say(f"{self.worker.terminal.name}: {self.noted}")
        faults = self.worker.delivery.faults
        for text in faults[self.said :]:
            self.say(f"{self.worker.terminal.name}: {text}")
        del faults[:-20]  # a gateway runs for years
        self.said = len(faults)

    def trouble(self, error: Exception) -> None:
        """Note what went wrong; the next try comes after a while."""
        if str(error) != self.error:
            self.worker.delivery.fault(str(error))
        self.error = str(error)
        self.pause = min(LONGEST_PAUSE, max(1.0, self.pause * 2))
        if not isinstance(error, TerminalError) or error.is_gone:
            self.worker.is_ready = False

    def once(self) -> None:
        worker = self.worker
        worker.delivery.begin(worker.options.spool_days)
        try:
            with worker.terminal.visit():
                worker.once()
            if worker.delivery.waiting:
                raise Failure(
                    f"{worker.delivery.waiting:,} parcels wait in {worker.delivery.spool.path}:"
                    f" {worker.delivery.away}"
                )
        finally:
            self.tell()
            worker.delivery.spool.close()

    def run(self, stop: threading.Event) -> None:
        worker = self.worker
        try:
            worker.delivery.begin(worker.options.spool_days)
            while not stop.is_set():
                try:
                    with worker.terminal.visit():
                        pause = worker.step()
                    self.error, self.pause = "", 0.0
                except (Closed, Held):
                    raise
                except TROUBLE as error:
                    self.trouble(error)
                    pause = self.pause
                except Exception as error:
                    # an odd row or another side's fault: the thread goes on, and says so
                    self.trouble(Failure(f"{type(error).__name__}: {error}"))
                    pause = self.pause
                self.tell()
                stop.wait(pause)
        except (Closed, Held, SpoolError) as error:
            self.error = str(error)
            worker.delivery.fault(self.error)
        finally:
            self.tell()
            self.is_over = True
            worker.delivery.spool.close()


class Gateway:
    """Terminals and their users, read into one database."""

    def __init__(
        self,
        terminals: Iterable[tuple[Any, str]],
        dsn: str = "",
        spool: Path | str = "spool",
        options: Options | None = None,
        say: Callable[[str], None] = print,
        connections: int = 4,
    ) -> None:
        self.database = Database(dsn, connections)
        options = options or Options()
        self.lanes = []
        for number, (given, user) in enumerate(terminals, 1):
            terminal = (
                given if isinstance(given, Terminal) else Terminal(given, f"terminal-{number}")
            )
            delivery = Delivery(
                self.database,
                Spool(spool_path(Path(spool), f"{terminal.name} {user}")),
                options.dry_run,
            )
            self.lanes.append(Lane(Worker(terminal, user, delivery, options), say))

    def once(self) -> None:
        failures = []
        for lane in self.lanes:
            try:
                lane.once()
            except (*TROUBLE, Closed, psycopg.Error) as error:
                lane.error = one_line(error)
                failures.append((lane, error))
        self.database.close()
        if failures:
            lane, error = failures[0]
            code = error.code if isinstance(error, Failure) else 1
            raise Failure(f"{lane.worker.terminal.name}: {lane.error}", code) from error
        if faults := [text for lane in self.lanes for text in lane.worker.delivery.faults]:
            raise Failure(f"read, but not without faults: {faults[0]}")

    def run(self, stop: threading.Event, look: Callable[[], None] = lambda: None) -> None:
        # daemons: a terminal that never answers must not keep the process
        threads = [
            threading.Thread(
                target=lane.run, args=[stop], name=lane.worker.terminal.name, daemon=True
            )
            for lane in self.lanes
        ]
        for thread in threads:
            thread.start()
        try:
            while not stop.wait(1) and any(thread.is_alive() for thread in threads):
                look()
        finally:
            stop.set()
            end = time.monotonic() + LONGEST_END
            for thread in threads:
                thread.join(max(0.1, end - time.monotonic()))
            self.database.close()
