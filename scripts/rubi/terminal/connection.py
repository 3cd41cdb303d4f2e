"""The connection of a terminal: what every function of the package does before it answers."""

import fnmatch
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from rubi.terminal import constants as mt5
from rubi.terminal.books import Books
from rubi.terminal.broker import Broker
from rubi.terminal.records import AccountInfo, TerminalInfo
from rubi.terminal.view import Link, View

BUILD = 5200


def seconds(moment: object) -> int:
    """What the package makes of a date: an int, or a datetime's timestamp, naive ones local."""
    if isinstance(moment, datetime):
        return int(moment.timestamp())
    if isinstance(moment, int) and not isinstance(moment, bool):
        return moment
    raise ValueError


def in_group(name: str, group: str | None) -> bool:
    """Masks with commas, applied one after the other; `!` takes out."""
    is_in = group is None
    for part in (group or "").split(","):
        mask = part.strip()
        if mask and fnmatch.fnmatchcase(name, mask.removeprefix("!")):
            is_in = not mask.startswith("!")
    return is_in


class Connection:
    """One terminal and its conversation with a program.

    None is a failure, which last_error() explains. `link` says whether calls get through, `view`
    what of the books is visible now.
    """

    def __init__(self, broker: Broker, login: int, maxbars: int = 100_000) -> None:
        self.broker, self.market = broker, broker.market
        self.maxbars = maxbars
        self.link = Link()
        self.lock = threading.RLock()  # a script and a gateway may be two threads
        self._views: dict[int, View] = {}
        self._error = (mt5.RES_S_OK, mt5.MESSAGES[mt5.RES_S_OK])
        self._requests = 0
        self.switch(login)

    def __getattr__(self, name: str) -> int:
        """The package's constants."""
        try:
            return mt5.VALUES[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def books(self) -> Books:
        return self.broker.accounts[self.active]

    def switch(self, login: int) -> None:
        """Another account is active from now on, as when somebody clicks in the terminal."""
        self.active = login
        self.view = self._views.setdefault(login, View())

    def fail(self, code: int, message: str | None = None) -> None:
        """Note why a call answers None."""
        self._error = code, message or mt5.MESSAGES[code]

    def answer(self, work: Callable[[], Any]) -> Any:
        """The result of some work, where the connection lets it through; else None."""
        with self.lock:
            if fault := self.link.fault():
                return self.fail(fault)
            self._error = (mt5.RES_S_OK, mt5.MESSAGES[mt5.RES_S_OK])
            try:
                return work()
            except (ValueError, TypeError):
                return self.fail(mt5.RES_E_INVALID_PARAMS)

    def initialize(self, path: str | None = None, /, **options: Any) -> bool:
        """Begin to talk to the terminal; an account may be named as for login."""
        if self.answer(lambda: True) is None:
            return False
        return self.login(options.pop("login"), **options) if "login" in options else True

    def login(self, login: int, /, password: str = "", server: str = "", **_: Any) -> bool:
        def work() -> bool:
            books = self.broker.accounts.get(login)
            if books and password in ("", books.password) and server in ("", books.server):
                self.switch(login)
                return True
            self.fail(mt5.RES_E_AUTH_FAILED)
            return False

        return bool(self.answer(work))

    def shutdown(self) -> None:
        """End of the conversation."""

    def version(self) -> tuple[int, int, str] | None:
        """Release, build and its date."""
        return self.answer(lambda: (500, BUILD, "1 Aug 2025"))

    def last_error(self) -> tuple[int, str]:
        """Number and words of the last call's error, (1, 'Success') where there was none."""
        return self._error

    def terminal_info(self) -> TerminalInfo | None:
        """The terminal; `connected` is False when it has no trade server."""
        return self.answer(lambda: TerminalInfo(
            False, False, self.view.is_online(), False, True, False, False, False, False, False,
            BUILD, self.maxbars, 0, 10_000, 0.0, 0.0, "Stand-in Ltd", "MetaTrader 5", "English",
            "C:\\Terminal", "C:\\Terminal", "C:\\Common",
        ))  # fmt: skip

    def account_info(self) -> AccountInfo | None:
        return self.answer(lambda: self.view.account(self.books))
