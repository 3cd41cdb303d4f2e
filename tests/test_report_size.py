"""A report of 100,000 trades: time and size. Run it under `quiet`, the time is part of the rule."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import psycopg
import pytest

import reporting
import rows
from conftest import Address
from rubi.reporting import writing


@pytest.mark.slow
def test_100000_trades_take_10_seconds_and_5_megabytes(
    db: psycopg.Connection, server: Address, tmp_path: Path
) -> None:
    user = rows.user(db, username="busy")
    session = rows.session(db, user)
    account = db.execute("SELECT id FROM mt5_accounts WHERE user_id = %s", [user]).fetchone()[0]
    with db.transaction():
        db.execute(
            """
            INSERT INTO trading_orders (user_id, account_id, symbol, order_type, volume,
                open_price, close_price, profit, commission, opened_at, closed_at)
            SELECT %s, %s, 'S' || n %% 60, CASE WHEN n %% 2 = 0 THEN 'BUY' ELSE 'SELL' END, 0.1,
                1.1, 1.2, round((40 * sin(n / 800.0) + 30 * sin(n * 12.9898))::numeric, 2), -0.7,
                timestamptz '2021-01-04' + n * interval '25 minutes',
                timestamptz '2021-01-04' + n * interval '25 minutes' + interval '3 hours'
            FROM generate_series(1, 100000) AS n
            """,
            [user, account],
        )
        db.execute(
            """
            INSERT INTO account_snapshots (session_id, balance, equity, timestamp)
            SELECT %s, 10000 + n, 9990 + n + 50 * sin(n / 40.0), timestamptz '2021-01-04'
                + n * interval '4 hours'
            FROM generate_series(1, 10000) AS n
            """,
            [session],
        )
        db.execute(
            """
            INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)
            SELECT 'S' || s, 'M15', t, 1.1, 1.2, 1, 1.15
            FROM generate_series(0, 3) AS s,
                generate_series(timestamptz '2025-01-01', '2025-10-15', '15 minutes') AS t
            """
        )
    db.execute("ANALYZE")
    out = tmp_path / "report.html"
    began = monotonic()
    page = writing.make_page(server.dsn(db.info.dbname, "rubi_readonly"), "busy")
    out.write_text(page, encoding="utf-8")
    took, size = monotonic() - began, out.stat().st_size
    print(f"\n100,000 trades: {took:.1f} s, {size / 1e6:.2f} MB")
    assert "100,000 trades are drawn in 1,000 groups" in page
    assert size <= 5_000_000
    assert took <= 10
    with reporting.browser() as browser, reporting.opened(browser, out, 380) as seen:
        assert seen.complaints == []
        assert seen.page.locator(".plot svg").count() == 7
