"""Terminals: any object with the interface of the MetaTrader5 package, and what its calls answer.

Times in calls are whole seconds on the server's clock: the package takes a datetime without a zone
for the time of this machine. Arguments go by position, as the package takes them; filters by name.
"""

import importlib
import inspect
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rubi.cli import Failure
from rubi.mt5.dumps import clean

Row = dict[str, Any]
# last_error() of the package where the terminal itself is not there: -10005 is its timeout
GONE = range(-10005, -9999)
INVALID = -2
FORMS = "MetaTrader5[:PATH], mt5linux[:HOST:PORT] or a Python object, package.module:NAME"


class TerminalError(Exception):
    """A call that answered None, or nothing at all; code is the package's, 0 where it has none."""

    def __init__(self, call: str, code: int, text: str) -> None:
        super().__init__(f"{call}: {text} ({code})")
        self.code = code

    @property
    def is_gone(self) -> bool:
        """Whether the terminal is to be opened again."""
        return self.code in GONE


def unpack(found: Any) -> Any:
    """An answer as names and rows of plain values; None stays None. Runs beside the terminal too,
    where mt5linux sends its text, so that the function uses no other."""
    if found is None:
        return None
    if hasattr(found, "dtype"):
        return tuple(found.dtype.names), tuple(map(tuple, found.tolist()))
    rows = (found,) if hasattr(found, "_asdict") else tuple(found)
    names = tuple(rows[0]._asdict()) if rows else ()
    return names, tuple(tuple(row._asdict().values()) for row in rows)


def plain(value: Any) -> Any:
    """A value as JSON takes it: numbers of numpy become Python's, NaN and infinity None."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return clean(value) if isinstance(value, str) else value


class Terminal:
    """One terminal: an object whose calls are the package's."""

    def __init__(self, api: Any, name: str, path: str = "") -> None:
        self.api, self.name, self.path = api, name, path
        self.login: dict[str, Any] = {}  # login, password, server: never shown

    def call(self, name: str, *args: Any, **filters: Any) -> Any:
        """The answer as it is. Raises TerminalError where the connection to the terminal ends."""
        try:
            return getattr(self.api, name)(*args, **filters)
        except (EOFError, OSError) as error:
            raise TerminalError(name, -10004, f"{type(error).__name__}: {error}") from error

    def unpacked(self, name: str, *args: Any, **filters: Any) -> Any:
        return unpack(self.call(name, *args, **filters))

    def rows(self, name: str, *args: Any, **filters: Any) -> list[Row]:
        """The answer as rows; fields that hold nothing are left out. Raises TerminalError for None,
        which is a failure and never an empty picture."""
        found = self.unpacked(name, *args, **filters)
        if found is None:
            raise self.error(name)
        names, rows = found
        return [
            {
                field: value
                for field, given in zip(names, row, strict=True)
                if (value := plain(given)) is not None
            }
            for row in rows
        ]

    def count(self, name: str, *args: Any) -> int:
        """A number that a call answers. Raises TerminalError for None."""
        found = self.call(name, *args)
        if found is None:
            raise self.error(name)
        return int(found)

    def error(self, call: str) -> TerminalError:
        """What last_error() says of a call that failed."""
        found = self.call("last_error")
        code, text = found if found else (0, "no reason given")
        return TerminalError(call, int(code), str(text))

    def open(self) -> None:
        """Connect to the terminal, log in where a login was given. Raises TerminalError."""
        given = (self.path,) if self.path else ()
        if not self.call("initialize", *given, **self.login):
            raise self.error("initialize")

    @contextmanager
    def visit(self) -> Iterator[None]:
        """While calls belong together: no other terminal comes between."""
        yield

    def close(self) -> None:
        """Let go of the terminal; the terminal itself goes on."""
        self.call("shutdown")


class Remote(Terminal):
    """A terminal behind mt5linux: each answer comes as one value, not field by field."""

    def __init__(self, name: str, host: str, port: int) -> None:
        super().__init__(None, name)
        self.package = load("mt5linux", name)
        self.place = host, port

    def open(self) -> None:
        if self.api is None:
            try:
                self.api = self.package.MetaTrader5(*self.place)
            except (OSError, EOFError, RuntimeError) as error:
                where = ":".join(map(str, self.place))
                raise TerminalError(f"mt5linux at {where}", -10004, str(error)) from error
            self.api.execute(f"from __future__ import annotations\n{inspect.getsource(unpack)}")
        super().open()

    def call(self, name: str, *args: Any, **filters: Any) -> Any:
        return self.ask(f"mt5.{name}(*{args!r}, **{filters!r})", name)

    def unpacked(self, name: str, *args: Any, **filters: Any) -> Any:
        return self.ask(f"unpack(mt5.{name}(*{args!r}, **{filters!r}))", name)

    def ask(self, code: str, name: str) -> Any:
        """What the other side makes of an expression. A connection that ended is made again by
        open()."""
        if self.api is None:
            raise TerminalError(name, -10004, "no connection to mt5linux' server")
        try:
            return self.api.eval(code)
        except (EOFError, OSError, self.timeout()) as error:
            self.api = None
            raise TerminalError(name, -10005, f"mt5linux: {type(error).__name__}") from error

    @staticmethod
    def timeout() -> type[Exception]:
        """What rpyc, which mt5linux talks through, raises when no answer comes."""
        return load("rpyc", "mt5linux").AsyncResultTimeout


class Shared(Terminal):
    """One of several terminals of the package itself, which knows one at a time in a process."""

    lock = threading.RLock()
    current = None  # the terminal that the package knows now

    @contextmanager
    def visit(self) -> Iterator[None]:
        with Shared.lock:
            if Shared.current is not self:
                if Shared.current:
                    self.close()
                    self.open()
                Shared.current = self
            yield


def load(module: str, what: str) -> Any:
    """A module by name. Raises Failure with what to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Failure(f"can't load {module} for the terminal {what}: {error}; {FORMS}") from error


def behind_mt5linux(spec: str, place: str) -> Remote:
    """mt5linux' terminal at HOST:PORT, localhost:18812 where nothing is said."""
    host, _, port = place.rpartition(":")
    if port and not port.isdigit():
        raise Failure(f"{spec} is no place: mt5linux:HOST:PORT", 2)
    return Remote(spec, host or "localhost", int(port or 18812))


def named(spec: str) -> Any:
    """The object that package.module:NAME is, or answers when called."""
    module, _, name = spec.partition(":")
    found = load(module, spec)
    if name:
        try:
            found = getattr(found, name)
        except AttributeError as error:
            raise Failure(f"{module} has no {name}: {FORMS}", 2) from error
    if isinstance(found, Callable) and not hasattr(found, "account_info"):
        found = found()
    if not hasattr(found, "account_info"):
        raise Failure(f"{spec} has no account_info, as a terminal has: {FORMS}", 2)
    return found


def terminal(spec: str) -> Terminal:
    """The terminal that an option --terminal names. Raises Failure where there is none."""
    name, _, place = spec.partition(":")
    if name == "mt5linux":
        return behind_mt5linux(spec, place)
    if name == "MetaTrader5":
        return Shared(load("MetaTrader5", spec), spec, place)
    return Terminal(named(spec), spec)
