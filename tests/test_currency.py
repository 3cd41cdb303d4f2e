"""Money in one currency: rates of the moment, and sums that say what they leave out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import errors

import rows
from performing import account

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
Connect = Callable[..., psycopg.Connection]
# What one unit of the first was worth in the second at noon, by these bars (symbol, timeframe,
# begin, open, close). By hand: EURUSD H1 closed at 11:00 at 1.20, GBPUSD M1 opened at noon at 1.50,
# USDJPY D1 of the same day is open: its open of 100 counts, from midnight on.
BARS = (
    ("EURUSD", "H1", NOON - timedelta(hours=2), "1.10", "1.20"),
    ("EURUSD", "H1", NOON + timedelta(hours=1), "7.00", "7.00"),
    ("GBPUSD", "M1", NOON, "1.50", "9.00"),
    ("GBPUSD", "H1", NOON - timedelta(hours=3), "1.40", "1.45"),
    ("USDJPY", "D1", NOON - timedelta(hours=12), "100.00", "800.00"),
    ("USDCHF", "D1", NOON - timedelta(days=9), "0.90", "0.90"),
    ("BTCUSD", "H1", NOON - timedelta(hours=1), "90000", "90000"),
)
HOUR = timedelta(hours=1)


@pytest.fixture
def rates(app: psycopg.Connection) -> psycopg.Connection:
    """The API's connection to a database with those bars."""
    for symbol, timeframe, at, first, last in BARS:
        rows.bar(
            app, symbol=symbol, timeframe=timeframe, timestamp=at, open=first, close=last,
            high=max(Decimal(first), Decimal(last)), low=min(Decimal(first), Decimal(last)),
        )  # fmt: skip
    app.execute("SELECT fold_bar_changes()")
    return app


def rate(connection: psycopg.Connection, *arguments: object) -> tuple:
    slots = ", ".join(["%s"] * len(arguments))
    return connection.execute(
        f"SELECT round(rate, 10), source, age, reason FROM find_exchange_rate({slots})",
        list(arguments),
    ).fetchone()


@pytest.mark.parametrize(
    ("base", "quote", "value", "source", "age"),
    [
        ("USD", "USD", "1", "USD", timedelta(0)),
        ("XYZ", "XYZ", "1", "XYZ", timedelta(0)),
        ("EUR", "USD", "1.2", "EURUSD H1", HOUR),
        ("USD", "EUR", "0.8333333333", "1/EURUSD H1", HOUR),
        ("GBP", "USD", "1.5", "GBPUSD M1", timedelta(0)),
        ("USD", "JPY", "100", "USDJPY D1", 12 * HOUR),
        ("EUR", "GBP", "0.8", "EURUSD H1 / GBPUSD M1", HOUR),
        ("GBP", "JPY", "150", "GBPUSD M1 / 1/USDJPY D1", 12 * HOUR),
    ],
)
def test_rate_is_the_youngest_price_before_the_moment(
    rates: psycopg.Connection, base: str, quote: str, value: str, source: str, age: timedelta
) -> None:
    assert rate(rates, base, quote, NOON) == (Decimal(value), source, age, None)


@pytest.mark.parametrize(
    ("base", "quote", "at", "reason"),
    [
        ("USD", "CHF", NOON, "no_rate"),  # nine days old
        ("BTC", "USD", NOON, "no_rate"),  # no pair says what BTCUSD is
        ("EUR", "USD", NOON - timedelta(days=30), "no_rate"),  # a later price is none
        ("EUR", None, NOON, "no_currency"),
        (None, "EUR", NOON, "no_currency"),
    ],
)
def test_no_rate_is_said_and_never_guessed(
    rates: psycopg.Connection, base: str | None, quote: str | None, at: datetime, reason: str
) -> None:
    assert rate(rates, base, quote, at) == (None, None, None, reason)


def test_an_older_price_counts_where_the_caller_allows(rates: psycopg.Connection) -> None:
    found = rate(rates, "USD", "CHF", NOON, timedelta(days=10))
    assert found == (Decimal("0.9"), "USDCHF D1", timedelta(days=8), None)
    at = NOON + timedelta(days=40)  # more than 31 days are never allowed
    assert rate(rates, "USD", "JPY", at, timedelta(days=400))[3] == "no_rate"


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_a_day_s_close_is_known_after_24_hours_in_any_time_zone(
    rates: psycopg.Connection, zone: str
) -> None:
    """The day on which Berlin's clocks are put forward has 23 hours there."""
    begin = datetime(2026, 3, 29, tzinfo=UTC)
    rows.bar(
        rates, symbol="USDJPY", timeframe="D1", timestamp=begin, open=100, high=800, low=100,
        close=800,
    )  # fmt: skip
    rates.execute("SELECT fold_bar_changes()")
    rates.execute("SELECT set_config('TimeZone', %s, FALSE)", [zone])
    assert rate(rates, "USD", "JPY", begin + 23.5 * HOUR)[0] == 100
    assert rate(rates, "USD", "JPY", begin + 24 * HOUR)[0] == 800


@pytest.mark.parametrize(
    ("timeframe", "begin", "end"),
    [
        ("MN1", "2026-06-30 21:00", "2026-07-31 21:00"),  # July; a month after its begin: the 30th
        ("MN1", "2026-02-28 22:00", "2026-03-31 21:00"),  # March, whose end is in summer time
        ("D1", "2025-10-31 21:00", "2025-11-01 21:00"),
        ("D1", "2025-11-01 21:00", "2025-11-02 22:00"),  # 25 hours
    ],
)
def test_the_close_of_a_bar_is_known_when_its_series_clock_ends_it(
    rates: psycopg.Connection, timeframe: str, begin: str, end: str
) -> None:
    """A server's days and months begin at 21:00 or 22:00 UTC: an earlier moment would take the
    price of a later one."""
    rows.bar(rates, symbol="USDCHF", timeframe=timeframe, timestamp=f"{begin}+00", open=100,
             high=800, low=100, close=800)  # fmt: skip
    rates.execute("SELECT fold_bar_changes()")
    rates.execute("UPDATE market_series SET clock = 'America/New_York+7' WHERE symbol = 'USDCHF'")
    ends_at = datetime.fromisoformat(f"{end}+00:00")
    before = rate(rates, "USD", "CHF", ends_at - timedelta(microseconds=1), timedelta(days=31))
    assert before[0] in (100, None)  # the open of a month of 31 days is older
    assert rate(rates, "USD", "CHF", ends_at)[::2] == (800, timedelta(0))
    at = ends_at + timedelta(days=4)
    assert rate(rates, "USD", "CHF", at)[::2] == (800, timedelta(days=4))


def test_a_pair_that_a_person_names_is_used(rates: psycopg.Connection) -> None:
    rates.execute("INSERT INTO currency_pairs VALUES ('BTCUSD', 'BTC', 'USD')")
    assert rate(rates, "BTC", "EUR", NOON)[0] == Decimal(75000)


def test_a_pair_of_one_currency_is_refused(app: psycopg.Connection) -> None:
    with pytest.raises(errors.CheckViolation) as caught:
        app.execute("INSERT INTO currency_pairs VALUES ('USDUSD', 'USD', 'USD')")
    assert caught.value.diag.constraint_name == "currency_pairs_two_currencies_check"


PRICE = st.decimals("0.0001", "50000", places=5)


@settings(max_examples=25)
@given(eur=PRICE, jpy=PRICE)
def test_triangle_and_inverse_hold(
    shared_connection: psycopg.Connection, eur: Decimal, jpy: Decimal
) -> None:
    """A to B to C is A to C, and there and back is 1, to twelve digits."""
    shared = shared_connection
    with shared.transaction(force_rollback=True):
        for symbol, price in (("EURUSD", eur), ("USDJPY", jpy)):
            rows.bar(shared, symbol=symbol, timestamp=NOON, open=price, close=price,
                     high=price, low=price)  # fmt: skip
            shared.execute(
                "INSERT INTO market_series (symbol, timeframe) VALUES (%s, 'H1')"
                " ON CONFLICT DO NOTHING",
                [symbol],
            )
        for left, right in (
            ("(EUR,USD)*(USD,JPY)", "(EUR,JPY)"),
            ("(JPY,USD)*(USD,EUR)", "(JPY,EUR)"),
            ("(EUR,JPY)*(JPY,EUR)", "(EUR,EUR)"),
        ):
            products = [
                shared.execute(
                    "SELECT exp(sum(ln((SELECT f.rate FROM find_exchange_rate(p[1], p[2], %s)"
                    " AS f)))) FROM (SELECT regexp_matches(%s, '([A-Z]+),([A-Z]+)', 'g') AS p)"
                    " AS pairs",
                    [NOON, side],
                ).fetchone()[0]
                for side in (left, right)
            ]
            assert abs(products[0] / products[1] - 1) < Decimal("1e-10")


@pytest.fixture
def trader(rates: psycopg.Connection) -> int:
    """A user who reports in EUR, with trades closed at noon on accounts of four currencies."""
    user = rows.user(rates, reporting_currency="EUR")
    for number, (currency, net) in enumerate(
        [("USD", 120), ("EUR", 10), ("JPY", -1200), ("BTC", 1)]
    ):
        account_id, _ = account(
            rates, user, account_number=str(number), currency=currency, balance=net, equity=net,
            last_ping=NOON,
        )  # fmt: skip
        rows.closed_order(
            rates, user, account_id=account_id, profit=net, closed_at=NOON,
            opened_at=NOON - HOUR,
        )  # fmt: skip
    rows.closed_order(rates, user, closed_at=NOON, opened_at=NOON - HOUR)  # of no account
    return user


def test_sum_over_accounts_says_what_it_leaves_out(rates: psycopg.Connection, trader: int) -> None:
    """120 USD are 100 EUR, 1,200 JPY are 12 USD and so 10 EUR: 100 + 10 - 10."""
    assert rates.execute(
        "SELECT reporting_currency, trades, converted_trades, left_out_trades, net_profit,"
        " converted_currencies, left_out_currencies, oldest_rate FROM converted_results"
        " WHERE user_id = %s",
        [trader],
    ).fetchall() == [("EUR", 5, 3, 2, 100, ["EUR", "JPY", "USD"], ["BTC", None], 12 * HOUR)]
    assert rates.execute(
        "SELECT currency, reason, round(converted_equity, 6) FROM converted_balances"
        " WHERE user_id = %s ORDER BY currency",
        [trader],
    ).fetchall() == [
        ("BTC", "no_rate", None), ("EUR", None, 10), ("JPY", None, -10), ("USD", None, 100),
    ]  # fmt: skip


def test_without_a_reporting_currency_nothing_is_converted(
    rates: psycopg.Connection, trader: int
) -> None:
    rates.execute("UPDATE users SET reporting_currency = NULL WHERE id = %s", [trader])
    assert set(
        rates.execute(
            "SELECT reason, converted_net FROM converted_trades WHERE user_id = %s", [trader]
        )
    ) == {("no_reporting_currency", None)}


def test_tenant_reads_its_own_and_the_same_rates(
    rates: psycopg.Connection, trader: int, connect_as: Connect
) -> None:
    tenant = connect_as("rubi_app")
    other = rows.user(rates, reporting_currency="USD")
    for user, seen in ((trader, 5), (other, 0)):
        with tenant.transaction():
            tenant.execute("SET LOCAL ROLE rubi_tenant")
            tenant.execute("SELECT set_config('app.user_id', %s, TRUE)", [str(user)])
            assert tenant.execute("SELECT count(*) FROM converted_trades").fetchone() == (seen,)
            assert rate(tenant, "EUR", "GBP", NOON)[0] == Decimal("0.8")
