"""What trades risked and what they made of it: published examples, and a plain restatement."""

from __future__ import annotations

import random
import statistics
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

import mt5
import mt5_files
import mt5_history
import rows
from desk import Connect
from mt5 import BUY, OUT, SELL
from mt5_loading import CLOCK, Run, load, user
from traders import CROSS, DAY, STOCK, D, Trader

__all__ = ["load", "user"]  # fixtures


@pytest.fixture
def trader(app: psycopg.Connection) -> Trader:
    return Trader(app, rows.user(app))


@pytest.mark.parametrize(("prices", "stop", "volume", "profit", "risk", "r"), [
    # StockTickr, "What is R and Expectancy?": 1,000 shares at 30 sold at 35, by the stop
    ((30, 35), 20, 1000, 5000, 10000, "0.5"),
    ((30, 35), 29, 1000, 5000, 1000, "5"),
    # R and R-multiples after Van Tharp's lesson: 100 with a stop at 90, sold at 120
    ((100, 120), 90, 1, 20, 10, "2"),
])  # fmt: skip
def test_r_is_the_result_as_a_multiple_of_the_risk(
    trader: Trader, prices: tuple, stop: float, volume: float, profit: float, risk: int, r: str
) -> None:
    trader.told(**STOCK)
    position = trader.trade(prices, stop, volume=volume, profit=profit)
    assert trader.risk(position, "risk", "r", "r_of_prices", "stop_source", "risk_source",
                       "reason") == (risk, D(r), D(r), "order", "contract", None)  # fmt: skip
    costly = trader.trade(prices, stop, volume=volume, profit=profit, commission=-risk / 2)
    assert trader.risk(costly, "r", "r_of_prices") == (D(r) - D("0.5"), D(r))


def test_expectancy_and_system_quality_are_those_of_the_publisher(trader: Trader) -> None:
    """The same page: six trades of -1, 3, -1, -1, 2 and 3 R make 0.83 R a trade. SQN as Van Tharp
    defines it: square root of the number x mean / standard deviation of R."""
    trader.told(**STOCK)
    outcomes = [-1, 3, -1, -1, 2, 3]
    for r in outcomes:
        trader.trade((100, 100 + 10 * r), 90, profit=10 * r)
    found = trader.group("trades", "left_out", "total_r", "expectancy_r", "sqn")[0]
    assert found[:3] == (6, 0, 5)
    assert round(found[3], 2) == D("0.83")
    plain = 6**0.5 * statistics.mean(outcomes) / statistics.stdev(outcomes)
    assert float(found[4]) == pytest.approx(plain, rel=1e-12)
    assert trader.group("worst_r", "best_r", of_prices=True) == [(-1, 3)]


def test_a_short_with_a_target_is_measured_the_other_way_round(trader: Trader) -> None:
    trader.told(**STOCK)
    position = trader.trade((100, 94), 104, side=SELL, target=88, volume=2, profit=12)
    assert trader.risk(position, "risk", "planned_r", "r", "stop_distance", "price_move") == (
        8, 3, D("1.5"), 4, 6
    )  # fmt: skip


@pytest.mark.parametrize(("prices", "stop", "reason"), [
    ((100, 110), None, "unknown_stop"), ((100, 110), 0, "no_stop"),
    ((100, 110), 101, "stop_beyond_entry"), ((100, 110), 100, "stop_beyond_entry"),
])  # fmt: skip
def test_a_trade_without_an_opening_stop_is_left_out_by_name(
    trader: Trader, prices: tuple, stop: float | None, reason: str
) -> None:
    trader.told(**STOCK)
    position = trader.trade(prices, stop, profit=10)
    columns = ("risk", "r", "r_of_prices", "stop_distance", "reason", "reason_of_prices")
    assert trader.risk(position, *columns) == (None, None, None, None, reason, reason)
    trader.trade(prices, 95, profit=10)
    assert trader.group("trades", "left_out", "left_out_by") == [(1, 1, {reason: 1})]


@pytest.mark.parametrize(
    ("first", "second", "reason"), [(11, 11, None), (21, 22, "several_orders")]
)
def test_a_trade_that_several_orders_opened_is_left_out(
    trader: Trader, first: int, second: int, reason: str | None
) -> None:
    """Parts of one order are one opening; closed and opened again to charge swap is none."""
    trader.told(**STOCK)
    mt5.ingest(trader.db, "orders", trader.account, [
        mt5.order(f"{DAY} 12:00", ticket=ticket, sl=90.0, symbol="ACME")
        for ticket in {first, second}
    ])  # fmt: skip
    mt5.ingest(trader.db, "deals", trader.account, [
        mt5.deal(f"{DAY} 12:00", order=first, position_id=first, price=100.0, symbol="ACME"),
        mt5.deal(f"{DAY} 12:01", order=second, position_id=first, price=102.0, symbol="ACME"),
    ])  # fmt: skip
    found = trader.risk(first, "risk", "reason")
    assert found == ((22, "open") if reason is None else (None, reason))
    again = {"position_id": first, "volume": 2.0, "price": 104.0, "symbol": "ACME", "reason": 7}
    mt5.ingest(trader.db, "deals", trader.account, [
        mt5.deal(f"{DAY} 12:30", type=SELL, entry=OUT, swap=-1.0, **again),
        mt5.deal(f"{DAY} 12:30", **again),
        mt5.deal(f"{DAY} 13:00", position_id=first, type=SELL, entry=OUT, volume=2.0,
                 price=110.0, profit=18.0, symbol="ACME"),
    ])  # fmt: skip
    found = trader.risk(first, "risk", "reason")
    assert found == ((22, None) if reason is None else (None, reason))


def test_an_open_or_broken_trip_has_no_r(trader: Trader) -> None:
    trader.told(**STOCK)
    position = trader.trade((100, 110), 90, profit=10)
    mt5.ingest(trader.db, "deals", trader.account, [
        mt5.deal(f"{DAY} 12:00", order=90, position_id=90, price=100.0, symbol="ACME"),
        mt5.deal(f"{DAY} 12:00", position_id=91, type=SELL, entry=OUT, price=1.0, symbol="ACME"),
    ])  # fmt: skip
    mt5.ingest(trader.db, "orders", trader.account, [
        mt5.order(f"{DAY} 12:00", ticket=90, sl=90.0, symbol="ACME")
    ])  # fmt: skip
    assert trader.risk(90, "risk", "r", "reason", "reason_of_prices") == (10, None, "open", "open")
    assert trader.risk(91, "risk", "r", "reason") == (None, None, "not_whole")
    assert trader.group("trades", "left_out_by") == [(1, {"not_whole": 1})]
    assert trader.risk(position, "reason") == (None,)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-01-05 09:59:59", (None, None, None, "no_tick_value")),  # 07:59:59 UTC
        ("2026-01-05 10:00:00", (450, "tick_value", timedelta(0), None)),
        ("2026-01-05 11:00:00", (450, "tick_value", timedelta(0), None)),
        ("2026-01-05 12:30:00", (450, "tick_value", timedelta(hours=1.5), None)),
        ("2026-01-05 13:00:00", (400, "tick_value", timedelta(0), None)),
        ("2026-01-06 13:00:00", (400, "tick_value", timedelta(days=1), None)),
        ("2026-01-06 13:00:01", (None, None, None, "no_tick_value")),
    ],
)
def test_a_price_in_another_currency_is_worth_what_was_told_before(
    trader: Trader, at: str, expected: tuple
) -> None:
    """A tick of 0.001 yen on 100,000 pounds is 100 yen: 0.9 and later 0.8 dollars."""

    def position(at: str) -> int:
        return trader.trade((200, 201), 199.5, symbol="GBPJPY", at=at, until=at, profit=900)

    trader.told("2026-01-05 08:00+00", **CROSS, trade_tick_value=0.7, trade_tick_value_loss=0.9)
    trader.told("2026-01-05 09:00+00", **CROSS, trade_tick_value=0.7, trade_tick_value_loss=0.9)
    trader.told("2026-01-05 11:00+00", **CROSS, trade_tick_value=0.7, trade_tick_value_loss=0.8)
    columns = ("risk", "risk_source", "tick_value_age", "reason", "reason_of_prices", "r_of_prices")
    assert trader.risk(position(at), *columns) == (*expected, None, 2), at


def test_tick_values_are_kept_as_they_change(trader: Trader) -> None:
    for hour, value in ((1, 0.9), (2, 0.9), (3, 0.8), (4, 0.9), (2, 7.0), (4, 0.85)):
        trader.told(f"2026-01-05 0{hour}:00+00", **CROSS, trade_tick_value=value)
    assert trader.db.execute(
        "SELECT extract(HOUR FROM taken_at AT TIME ZONE 'UTC'),"
        " extract(HOUR FROM seen_at AT TIME ZONE 'UTC'), trade_tick_value"
        " FROM mt5_tick_values ORDER BY taken_at"
    ).fetchall() == [(1, 2, D("0.9")), (3, 3, D("0.8")), (4, 4, D("0.85"))]
    trader.told("2026-01-05 05:00+00", **STOCK)
    trader.told("2026-01-06 05:00+00", **STOCK)
    assert trader.db.execute(
        "SELECT seen_at - taken_at FROM mt5_tick_values WHERE symbol = 'ACME'"
    ).fetchall() == [(timedelta(days=1),)]


@pytest.mark.parametrize(("fields", "reason"), [
    ({}, None), ({"trade_calc_mode": 33}, "no_tick_value"), ({"currency_profit": "EUR"},
    "no_tick_value"), ({"trade_contract_size": 0.0}, "no_tick_value"), (None, "no_terms"),
])  # fmt: skip
def test_worth_before_the_first_telling_is_known_by_the_contract_alone(
    trader: Trader, fields: dict | None, reason: str | None
) -> None:
    position = trader.trade((100, 110), 90, profit=10)
    assert trader.risk(position, "reason") == ("no_terms",)
    if fields is not None:
        trader.told("2026-02-05 00:00+00", **(STOCK | fields))
    assert trader.risk(position, "reason", "r_of_prices") == (reason, 1)
    assert trader.group("trades", "left_out", of_prices=True) == [(1, 0)]


def test_excursions_are_in_money_and_r_by_the_bars_within(trader: Trader) -> None:
    trader.told(**STOCK)
    position = trader.trade((100, 106), 96, volume=2, profit=12)
    columns = ("mae", "mfe", "mae_r", "mfe_r", "exit_efficiency")
    assert trader.risk(position, *columns, view="trip_excursions") == (None,) * 5
    rows.bar(trader.db, symbol="ACME", timeframe="M1", timestamp="2026-01-05 10:30+00", open=100,
             high=108, low=97, close=100)  # fmt: skip
    assert trader.risk(position, *columns, view="trip_excursions") == (
        6, 16, D("0.75"), 2, D("0.75")
    )  # fmt: skip


def test_groups_are_strategies_symbols_and_sessions(trader: Trader) -> None:
    trader.told(**STOCK)
    trader.told("2026-01-05 00:01+00", **(STOCK | {"name": "OTHER"}))
    trader.trade((100, 120), 90, profit=20, at=f"{DAY} 11:00", until=f"{DAY} 12:00")
    trader.trade((100, 90), 90, profit=-10, at=f"{DAY} 16:00", until=f"{DAY} 17:00", symbol="OTHER")
    trader.trade((100, 110), 0, profit=10, at=f"{DAY} 16:00", until=f"{DAY} 17:00", symbol="OTHER")
    columns = ("trades", "left_out", "expectancy_r", "sqn")
    assert trader.group("symbol", *columns, by="symbol") == [
        ("ACME", 1, 0, 2, None), ("OTHER", 1, 1, -1, None),
    ]  # fmt: skip
    assert trader.group("session", *columns[:2], by="session") == [
        ("London", 1, 0), ("London, New York", 1, 1),
    ]  # fmt: skip
    assert trader.group("strategy_id", *columns[:2], by="strategy") == [(None, 2, 1)]


def test_r_counts_for_the_strategy_that_the_trade_counts_for(trader: Trader) -> None:
    """Of an order of the API its own, else the magic number's; none once that is deleted."""
    trader.told(**STOCK)
    asked, traded = (rows.strategy(trader.db, trader.user, name=name) for name in "ab")
    trader.db.execute(
        "INSERT INTO mt5_magic_strategies VALUES (%s, %s, 0, DEFAULT, %s)",
        [trader.account, trader.user, traded],
    )
    for _ in range(2):
        trader.trade((100, 110), 90, profit=10)
    signal = rows.signal(trader.db, trader.user, strategy_id=asked)
    rows.order(trader.db, trader.user, account_id=trader.account, mt5_order_id="3", symbol="ACME",
               signal_id=signal)  # fmt: skip
    trader.trade((100, 110), 90, profit=10)
    by_money = "SELECT strategy_id, trades FROM strategy_results ORDER BY 1"
    for expected in ([(asked, 1), (traded, 2)], [(asked, 1), (None, 2)]):
        assert trader.group("strategy_id", "trades", by="strategy") == expected
        assert trader.db.execute(by_money).fetchall() == expected
        trader.db.execute("DELETE FROM trading_strategies WHERE id = %s", [traded])


@pytest.mark.parametrize("seed", [1, pytest.param(None, marks=pytest.mark.slow)])
def test_random_trades_equal_a_plain_restatement(trader: Trader, seed: int | None) -> None:
    seed = seed or random.randrange(10**6)
    print("seed", seed)
    source = random.Random(seed)
    trader.told(**STOCK)
    trader.told("2026-01-05 00:01+00", **CROSS, trade_tick_value_loss=0.9)
    worth = {"ACME": D(1), "GBPJPY": D("0.9") / D("0.001"), "NEW": None}
    plain: list[D] = []
    reasons: dict[str, int] = {}
    for _ in range(60):
        symbol, side = source.choice(list(worth)), source.choice((BUY, SELL))
        first, last = D(source.randint(9000, 11000)) / 100, D(source.randint(9000, 11000)) / 100
        # so many with a stop that two have an R for certain
        stops = [first + D(source.randint(-900, 900)) / 100 for _ in range(6)]
        stop = source.choice((None, D(0), *stops))
        volume, net = D(source.randint(1, 500)) / 100, D(source.randint(-5000, 9000)) / 100
        position = trader.trade(
            (float(first), float(last)), None if stop is None else float(stop), side=side,
            volume=float(volume), symbol=symbol, profit=float(net) + 1, commission=-1.0,
        )  # fmt: skip
        distance = stop and (first - stop if side == BUY else stop - first)
        if stop is None:
            reason = "unknown_stop"
        elif not stop:
            reason = "no_stop"
        elif distance <= 0:
            reason = "stop_beyond_entry"
        else:
            reason = None if worth[symbol] else "no_terms"
        found = trader.risk(position, "r", "reason")
        assert found[1] == reason, seed
        if reason:
            reasons[reason] = reasons.get(reason, 0) + 1
        else:
            plain.append(net / (distance * worth[symbol] * volume))
            assert float(found[0]) == pytest.approx(float(plain[-1]), rel=1e-12), seed
    found = trader.group("trades", "left_out_by", "expectancy_r", "deviation_r", "sqn")[0]
    assert found[:2] == (len(plain), reasons), seed
    mean, deviation = statistics.mean(plain), statistics.stdev(plain)
    for one, other in zip(
        found[2:], (mean, deviation, D(len(plain)).sqrt() * mean / deviation), strict=True
    ):
        assert float(one) == pytest.approx(float(other), rel=1e-9), seed


def test_tenant_reads_what_its_own_trades_risked(trader: Trader, connect_as: Connect) -> None:
    """Stops of positions too."""
    trader.told(**STOCK)
    now = datetime.now(UTC)
    opened = (now + timedelta(hours=2)).strftime("%Y-%m-%d %H:%M:%S")
    mt5.ingest(trader.db, "positions", trader.account, [
        mt5.position(opened, ticket=1, sl=95.0, price_open=100.0, symbol="ACME")
    ], now)  # fmt: skip
    later = (now + timedelta(hours=2, seconds=9)).strftime("%Y-%m-%d %H:%M:%S")
    trader.trade((100, 110), 0, at=opened, until=later, profit=10)
    other = rows.user(trader.db)
    tenant = connect_as("rubi_app")
    for owner, seen in ((trader.user, [(2, "position")]), (other, [])):
        with tenant.transaction():
            tenant.execute("SET LOCAL ROLE rubi_tenant")
            tenant.execute("SELECT set_config('app.user_id', %s, TRUE)", [str(owner)])
            assert tenant.execute("SELECT r, stop_source FROM trip_risks").fetchall() == seen
            assert tenant.execute("SELECT symbol FROM mt5_tick_values").rowcount == len(seen)
            assert tenant.execute(
                "SELECT trades FROM group_r(%s) WHERE grouped_by = 'all'", [trader.user]
            ).fetchone() == (len(seen),)
            assert tenant.execute("SELECT stop FROM mt5_first_stops").fetchall() == [
                (95,) for _ in seen
            ]


def test_a_report_goes_through_without_a_guess(
    db: psycopg.Connection, user: int, load: Run, tmp_path: Path
) -> None:
    """Each trade has its figure or the name of what is missing; MT5's own totals equal ours. Of
    three openings one has a stop, one none, one a stop beyond the entry."""
    history = mt5_history.make(21, True, 40)
    orders = {order["ticket"]: order for order in history.orders}
    opened = [deal for deal in history.deals if deal["entry"] == "in"]
    for number, deal in enumerate(opened):
        factor = (D("0.99"), None, D("1.01"))[number % 3]
        if factor and deal["type"] == "sell":
            factor = 2 - factor
        orders[deal["order"]]["sl"] = factor and round(deal["price"] * factor, 5)
    report = mt5_files.write_xlsx(tmp_path / "r.xlsx", history, mt5_files.Quirks("French"))
    done = load(report, "--user", "ann", *CLOCK)
    assert done.returncode == 0, done.stderr
    assert "equal to the report's totals" in done.stdout
    assert mt5.violations(db) == {}
    found = db.execute(
        "SELECT r IS NULL AND risk IS NULL, reason, reason_of_prices, r_of_prices, count(*)"
        " FROM trip_risks GROUP BY 1, 2, 3, 4"
    ).fetchall()
    assert all(is_unknown for is_unknown, *_ in found)
    assert {reason for _, reason, *_ in found} == {"no_terms", "no_stop", "stop_beyond_entry"}
    assert all((reason is None) == (r is not None) for _, _, reason, r, _ in found)
    assert sum(row[-1] for row in found) == len(opened)
    db.execute("UPDATE users SET reporting_currency = 'CHF'")
    assert db.execute("SELECT DISTINCT reason FROM converted_trades").fetchall() == [("no_rate",)]
    make = "SELECT apply_risk_template(id, 'two-step challenge', 10000, '2000-01-01')"
    db.execute(f"{make} FROM mt5_accounts")
    db.execute("SELECT evaluate_risk()")
    states = db.execute("SELECT status FROM risk_state").fetchall()
    assert {state for (state,) in states} <= {"unknown", "stale", "broken", "open", "reached"}
    may = "SELECT m.allowed FROM mt5_accounts AS a CROSS JOIN may_trade(a.id) AS m"
    assert db.execute(may).fetchone() == (False,)
