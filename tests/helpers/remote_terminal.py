"""The stand-in's terminal as a process of its own, and the package's functions that talk to it.

The package finds its terminal by a path and talks to it through a pipe; the stand-in's path is a
Unix socket. Without a terminal behind the pipe each call answers None, last_error() -10004; when no
answer comes in time, -10005. `package` stands for the imported module: its path is RUBI_TERMINAL,
where initialize() is given none.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

from faulty_terminals import Terminal
from rubi.terminal import constants as mt5

FALSE = frozenset({"initialize", "login", "symbol_select"})  # of a failure


class Served:
    """A terminal that programs reach by a path, in threads of this process, until it ends."""

    def __init__(self, terminal: Terminal, path: Path) -> None:
        self.terminal, self.path = terminal, path
        self.frozen = threading.Event()  # answers nothing while set
        self.begin()

    def begin(self) -> None:
        """Listen: the terminal was started."""
        self.path.unlink(missing_ok=True)
        self.listener = Listener(str(self.path))
        self.talks: list[Connection] = []
        self.thread = threading.Thread(target=self._accept, args=(self.listener,), daemon=True)
        self.thread.start()

    def end(self) -> None:
        """The terminal is gone, in the middle of whatever it was asked."""
        if not self.path.exists():
            return
        # close() alone does not wake accept()
        self.listener._listener._socket.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)
        for talk in self.talks:
            with suppress(OSError), socket.socket(fileno=os.dup(talk.fileno())) as end:
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: Listener) -> None:
        with suppress(OSError, EOFError):
            while True:
                talk = listener.accept()
                self.talks.append(talk)
                threading.Thread(target=self._talk, args=(talk,), daemon=True).start()

    def _talk(self, talk: Connection) -> None:
        with suppress(OSError, EOFError, TypeError), talk:
            while True:
                name, values, named = talk.recv()
                if self.frozen.is_set():
                    continue
                with self.terminal.lock:
                    result = getattr(self.terminal, name)(*values, **named)
                    said = self.terminal.last_error()
                talk.send((result, said))


class Package:
    """The package's functions and constants, of a terminal elsewhere."""

    def __init__(self, path: str | None = None, timeout: float = 60) -> None:
        self.path, self.timeout = path, timeout
        self.talk: Connection | None = None
        self._error = (mt5.RES_S_OK, mt5.MESSAGES[mt5.RES_S_OK])

    def initialize(self, path: str | None = None, /, **options: Any) -> bool:
        """Connect; timeout is in milliseconds, as there."""
        self.shutdown()
        self.timeout = options.pop("timeout", self.timeout * 1000) / 1000
        self.path = path or self.path or os.environ.get("RUBI_TERMINAL", "")
        try:
            self.talk = Client(str(self.path))
        except (OSError, EOFError):
            self._fail(mt5.RES_E_INTERNAL_FAIL_INIT)
            return False
        return bool(self._call("initialize", None, **options))

    def shutdown(self) -> None:
        """Disconnect."""
        if self.talk:
            self.talk.close()
        self.talk = None

    def last_error(self) -> tuple[int, str]:
        """Number and words of the last call's error."""
        return self._error

    def _fail(self, code: int) -> None:
        self._error = code, mt5.MESSAGES[code]

    def _call(self, name: str, *values: Any, **named: Any) -> Any:
        if not self.talk:
            return self._fail(mt5.RES_E_INTERNAL_FAIL_CONNECT)
        try:
            self.talk.send((name, values, named))
            if not self.talk.poll(self.timeout):
                # an answer that comes later must not be taken for the next call's
                self.shutdown()
                return self._fail(mt5.RES_E_INTERNAL_FAIL_TIMEOUT)
            result, self._error = self.talk.recv()
        except (OSError, EOFError):
            self.shutdown()
            return self._fail(mt5.RES_E_INTERNAL_FAIL_CONNECT)
        return result

    def __getattr__(self, name: str) -> Any:
        """A constant, or a function of the package."""
        if name in mt5.VALUES:
            return mt5.VALUES[name]
        if name.startswith("_") or not callable(getattr(Terminal, name, None)):
            raise AttributeError(name)

        def call(*values: Any, **named: Any) -> Any:
            result = self._call(name, *values, **named)
            return False if result is None and name in FALSE else result

        return call


package = Package()
