"""A user with everything that a report shows, and a browser that looks at it."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_postgresql.executors import NoopExecutor

import rows
from conftest import ROOT, Address, copy_rights
from rubi.reporting import wording, writing
from rubi.servers import chromium

STRATEGY = "Trend </script><script>alert(1)</script>"
ODD_SYMBOL = "<img src=x onerror=alert(1)>"
BEGAN = datetime(2026, 1, 5, 9, tzinfo=UTC)


def trade(
    connection: psycopg.Connection, user: int, number: int, net: float, **values: object
) -> int:
    """A closed order of some hours, the next one a little later; the net result as given."""
    opened = BEGAN + timedelta(hours=11 * number)
    values = {
        "symbol": "EURUSD", "order_type": "BUY" if number % 2 else "SELL", "volume": "0.5",
        "open_price": "1.1", "close_price": "1.1025", "opened_at": opened,
        "closed_at": opened + timedelta(hours=6), "profit": net + 1, "commission": -1,
    } | values  # fmt: skip
    return rows.closed_order(connection, user, **values)


def full_user(connection: psycopg.Connection) -> int:
    """Strategy, session with snapshots, 120 trades of three symbols, bars with a gap, positions."""
    user = rows.user(connection, username="trader", email="trader@example.com")
    session = rows.session(
        connection, user, account_number="77", balance=10_500, equity=10_400, margin=200
    )
    account = connection.execute(
        "SELECT account_id FROM mt5_sessions WHERE session_id = %s", [session]
    ).fetchone()[0]
    strategy = rows.strategy(connection, user, name=STRATEGY)
    balance = 10_000.0
    for number in range(120):
        net = round(80 * math.sin(number / 3) + 25 * math.cos(number * 1.7), 2)
        symbol = ("EURUSD", "EURUSD", "USDJPY", ODD_SYMBOL)[number % 4]
        trade(
            connection, user, number, net, symbol=symbol, account_id=account,
            strategy_id=strategy if number % 3 else None,
        )  # fmt: skip
        balance += net
        connection.execute(
            "INSERT INTO account_snapshots (session_id, balance, equity, timestamp)"
            " VALUES (%s, %s, %s, %s)",
            [session, balance, balance - 30, BEGAN + timedelta(hours=11 * number + 7)],
        )
    connection.execute(
        """
        INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close, volume)
        SELECT 'EURUSD', 'H1', t, p, p + 0.002, p - 0.002, p + 0.0005 * sin(n), 100
        FROM generate_series(timestamptz '2026-01-01', '2026-03-20', '1 hour')
            WITH ORDINALITY AS g (t, n)
        CROSS JOIN LATERAL (SELECT (1.1 + 0.03 * sin(n / 90.0))::numeric(12, 5) AS p) AS x
        WHERE extract(isodow FROM t) < 6 AND t::date <> '2026-02-10'
        """
    )
    rows.position(connection, session, symbol="EURUSD", profit=12.5, volume="0.3")
    rows.position(connection, session, symbol="XAUUSD", profit=-4, type="SELL")
    rows.order(connection, user, order_type="BUY_LIMIT", closed_at="2026-01-06", account_id=account)
    return user


@contextmanager
def database(server: Address, template: NoopExecutor, suffix: str) -> Iterator[str]:
    """Name of a deployed database that is dropped at the end."""
    name = f"{template.dbname}_{suffix}"
    with closing(psycopg.connect(server.dsn(), autocommit=True)) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template.template_dbname}")
        copy_rights(admin, template.template_dbname, name)
        yield name
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def pages(dsn: str, folder: Path) -> Callable[..., Path]:
    """What writes a user's page once; answers the file."""
    made: dict[str, Path] = {}

    def write(user: str, **scope: object) -> Path:
        key = json.dumps([user, scope], default=str)
        if key not in made:
            path = folder / f"{len(made)}.html"
            path.write_text(writing.make_page(dsn, user, **scope), encoding="utf-8")
            made[key] = path
        return made[key]

    return write


@dataclass
class Seen:
    """A page as a browser shows it, and what it complained about or asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def figures(self) -> dict[str, str]:
        """Text of everything marked as a figure."""
        return self.page.evaluate(
            "Object.fromEntries([...document.querySelectorAll('[data-figure]')]"
            ".map(e => [e.dataset.figure, e.textContent.trim()]))"
        )

    def text(self) -> str:
        """The readable text of the page."""
        return self.page.evaluate("document.body.innerText")


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    chromium.make_driver_run(chromium.playwright_node())
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=chromium.program())
        yield started
        started.close()


@contextmanager
def opened(
    browser: Browser, path: Path, width: int = 1400, scheme: str = "light"
) -> Iterator[Seen]:
    """The page in a window of that width."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    seen = Seen(context.new_page())
    seen.page.on("console", lambda message: seen.complaints.append(message.text))
    seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    seen.page.on("request", lambda request: seen.requests.append(request.url))
    seen.page.goto(path.as_uri())
    yield seen
    context.close()


ARTEFACTS = ROOT / "build/report"


def one_account(connection: psycopg.Connection, user: int, **values: str) -> int:
    """The account of a session of the user."""
    session = rows.session(connection, user, **values)
    return connection.execute(
        "SELECT account_id FROM mt5_sessions WHERE session_id = %s", [session]
    ).fetchone()[0]


def picture(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


def near(image: Image.Image, color: str) -> int:
    """The number of pixels of about this colour."""
    wanted = tuple(int(color[i : i + 2], 16) for i in (1, 3, 5))
    return sum(
        count
        for count, found in image.getcolors(image.width * image.height)
        if max(abs(a - b) for a, b in zip(found, wanted, strict=True)) < 30
    )


COLORS = {
    "light": {"accent": "#1c5bb8", "gain": "#0a7547", "loss": "#bf2f27"},
    "dark": {"accent": "#74aaff", "gain": "#3ccf91", "loss": "#ff7d74"},
}


def numeral(text: str) -> Decimal:
    """The number that a figure shows."""
    return Decimal(re.sub(r"[^0-9.\-]", "", text.replace("\N{MINUS SIGN}", "-")))


def equal(shown: str, value: Decimal | int | None, digits: int, factor: int = 1) -> bool:
    """Whether a figure shows SQL's value, rounded to its digits."""
    if value is None:
        return shown == wording.NONE
    return abs(numeral(shown) - factor * value) <= Decimal(1).scaleb(-digits) / 2
