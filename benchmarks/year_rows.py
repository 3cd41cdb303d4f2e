"""SQL of benchmarks/year.py: some hours of a platform's rows, each through the door of its kind.

Every statement takes the beginning of the hours (at), the first one's number (hour), how many there
are (hours), the day's number (day) and the platform's size; what they have written is not written
twice when they come again.
"""

from __future__ import annotations

from typing import NamedTuple

API, GATEWAY = "rubi_app", "rubi_ingest"

# What the benchmark itself has to know, in a schema of its own.
SCHEMA = """
CREATE SCHEMA benchmark;
CREATE TABLE benchmark.progress (start_at timestamptz, day integer, hour integer);
CREATE TABLE benchmark.platform (
    n integer PRIMARY KEY, joined integer NOT NULL, left_on integer, user_id bigint,
    strategy_id bigint, account_id bigint, session_id uuid, balance numeric DEFAULT 10000
);
CREATE FUNCTION benchmark.trips(
    p_day integer, p_hour integer, p_hours integer, p_trips integer
)
RETURNS TABLE (
    k integer, n integer, ticket bigint, price numeric, points integer, after interval
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    -- an opening and a closing order and two deals have the next four numbers; all numbers have as
    -- many digits, as a broker's, so that a later one is later as text too
    SELECT
        t.k, p.n, (1000 + p_day)::bigint * 1000000 + t.k * 10, 1.1 + t.k % 977 * 0.00001,
        t.k * 7 % 301,
        -- each at its own moment, the last ten minutes before the next call
        (t.k * 86400.0 / p_trips - p_hour * 3600) * (1 - 1.0 / (6 * p_hours)) * interval '1 second'
    FROM generate_series(0, p_trips - 1) AS t (k)
    INNER JOIN (
        SELECT l.n, row_number() OVER (ORDER BY l.n) - 1 AS place, count(*) OVER () AS total
        FROM benchmark.platform AS l
        WHERE l.joined <= p_day AND coalesce(l.left_on > p_day, TRUE)
    ) AS p ON p.place = t.k % p.total
    WHERE t.k * 24 / p_trips >= p_hour AND t.k * 24 / p_trips < p_hour + p_hours;
END;
-- As long as a UUID and in no order, as clients choose them; ends with the number of the order.
CREATE FUNCTION benchmark.request_of(p_ticket bigint)
RETURNS text
LANGUAGE sql IMMUTABLE
RETURN left(md5(p_ticket::text), 25) || '-' || p_ticket;
GRANT USAGE ON SCHEMA benchmark TO rubi_app, rubi_ingest;
GRANT SELECT ON benchmark.platform TO rubi_app, rubi_ingest;
"""

# Users that come: by the API, with a strategy; their terminal logs in and tells of a deposit.
JOIN_API = """
WITH users AS (
    INSERT INTO users (email, username, hashed_password)
    SELECT format('year%%s@example.com', n), format('year%%s', n), '!'
    FROM generate_series(%(first)s::integer, %(last)s) AS n
    RETURNING id, username
)
INSERT INTO trading_strategies (user_id, name) SELECT u.id, u.username FROM users AS u
"""
JOIN_PLATFORM = """
INSERT INTO benchmark.platform (n, joined, user_id, strategy_id)
SELECT substr(s.name, 5)::integer, %(day)s, s.user_id, s.id
FROM trading_strategies AS s WHERE s.name ~ '^year\\d+$'
ON CONFLICT DO NOTHING
"""
ACCOUNT = """
jsonb_build_object(
    'login', 7000000 + p.n, 'trade_mode', 0, 'leverage', 100, 'limit_orders', 200,
    'margin_so_mode', 0, 'trade_allowed', TRUE, 'trade_expert', TRUE, 'margin_mode', 2,
    'currency_digits', 2, 'fifo_close', FALSE, 'balance', p.balance, 'credit', 0, 'profit', 0,
    'equity', p.balance, 'margin', 0, 'margin_free', p.balance, 'margin_level', 0,
    'margin_so_call', 50, 'margin_so_so', 30, 'margin_initial', 0, 'margin_maintenance', 0,
    'assets', 0, 'liabilities', 0, 'commission_blocked', 0, 'name', 'A', 'server', 'Year-Live',
    'currency', 'USD', 'company', 'Broker'
)
"""
LOG_IN = f"""
SELECT count(ingest_mt5_account(p.user_id, {ACCOUNT}, %(at)s))
FROM benchmark.platform AS p
WHERE p.joined <= %(day)s AND coalesce(p.left_on > %(day)s, TRUE)
"""  # noqa: S608
KNOW_ACCOUNTS = """
UPDATE benchmark.platform AS p
SET account_id = a.id, session_id = s.session_id
FROM mt5_accounts AS a
INNER JOIN mt5_sessions AS s ON s.account_id = a.id
WHERE a.user_id = p.user_id AND p.account_id IS NULL
"""
DEPOSIT = """
SELECT sum(i.inserted) FROM benchmark.platform AS p
CROSS JOIN LATERAL ingest_mt5_deals(p.account_id, jsonb_build_array(jsonb_build_object(
    'ticket', p.n, 'order', 0, 'time', extract(epoch FROM %(at)s::timestamptz)::bigint,
    'time_msc', extract(epoch FROM %(at)s::timestamptz)::bigint * 1000, 'type', 2, 'entry', 0,
    'magic', 0, 'position_id', 0, 'reason', 0, 'volume', 0, 'price', 0, 'commission', 0, 'swap', 0,
    'profit', 10000, 'fee', 0, 'symbol', '', 'comment', 'deposit', 'external_id', ''
))) AS i
WHERE p.joined = %(day)s
"""
LEAVE = "SELECT close_user(p.user_id) FROM benchmark.platform AS p WHERE p.left_on = %(day)s"
# The server's time of closing is moved into its simulated day: later periods have no results.
LEFT = """
UPDATE users AS u SET closed_at = %(at)s
FROM benchmark.platform AS p WHERE p.user_id = u.id AND p.left_on = %(day)s
"""

BARS = """
SELECT sum(i.inserted)
FROM (
    SELECT format('Y%%s', s) AS symbol, jsonb_agg(jsonb_build_array(
        extract(epoch FROM t.at)::bigint, v.o, v.o + 0.0004, v.o - 0.0003, v.o + 0.0001,
        50 + (random() * 400)::integer, 7, 0
    ) ORDER BY t.at) AS rates
    FROM generate_series(1, %(symbols)s) AS s
    CROSS JOIN generate_series(0, 60 * %(hours)s - 1) AS m
    CROSS JOIN LATERAL (SELECT %(at)s::timestamptz + m * interval '1 minute' AS at) AS t
    CROSS JOIN LATERAL (SELECT round((1.1 + 0.01 * sin(m + s) + random() / 500)::numeric, 5) AS o)
        AS v
    GROUP BY s
) AS b
CROSS JOIN LATERAL ingest_bars(b.symbol, 'M1', b.rates, 'year', 'UTC') AS i
"""
TICKS = """
SELECT sum(ingest_ticks(t.symbol, t.ticks, 'year', 'UTC'))
FROM (
    SELECT format('Y%%s', s) AS symbol, jsonb_agg(jsonb_build_object(
        'time_msc', extract(epoch FROM %(at)s::timestamptz)::bigint * 1000
            + m::bigint * 3600000 / %(ticks)s,
        'bid', v.bid, 'ask', v.bid + 0.0001, 'last', 0, 'volume', 0, 'flags', 6
    ) ORDER BY m) AS ticks
    FROM generate_series(1, %(tick_symbols)s) AS s
    CROSS JOIN generate_series(0, %(ticks)s * %(hours)s - 1) AS m
    CROSS JOIN LATERAL (SELECT round((1.1 + 0.01 * sin(m) + random() / 500)::numeric, 5) AS bid)
        AS v
    GROUP BY s
) AS t
"""
# A walk from where the balance is: equity moves each minute, as with positions open all the time.
SNAPSHOTS = """
INSERT INTO account_snapshots (
    session_id, timestamp, balance, equity, margin, margin_free, margin_level, profit
)
SELECT
    w.session_id, w.at, w.balance, w.equity, 250, w.equity - 250, round(w.equity / 2.5, 2),
    w.equity - w.balance
FROM (
    SELECT
        p.session_id, p.n, p.balance, t.at,
        p.balance + round((
            200 * sin(%(day)s + %(hour)s + p.n) + sum(6 * (random() - 0.5)) OVER (
                PARTITION BY p.n ORDER BY t.at
            )
        )::numeric, 2) AS equity
    FROM benchmark.platform AS p
    CROSS JOIN generate_series(
        %(at)s::timestamptz,
        %(at)s::timestamptz + %(hours)s * interval '1 hour' - interval '1 minute',
        interval '1 minute'
    ) AS t (at)
    WHERE p.joined <= %(day)s AND coalesce(p.left_on > %(day)s, TRUE)
) AS w
ORDER BY w.at, w.n
ON CONFLICT DO NOTHING
"""
SIGNALS = """
INSERT INTO trading_signals (
    user_id, strategy_id, symbol, signal_type, entry_price, stop_loss, take_profit, volume,
    timeframe, confidence, indicators, signal_time, received_at, client_request_id
)
SELECT
    p.user_id, p.strategy_id, 'Y1', 'BUY', t.price, t.price - 0.01, t.price + 0.02, 0.1, 'H1', 0.75,
    jsonb_build_object('rsi', t.k %% 100, 'atr', 0.0012), %(at)s::timestamptz + t.after,
    %(at)s::timestamptz + t.after, benchmark.request_of(t.ticket)
FROM benchmark.trips(%(day)s, %(hour)s, %(hours)s, %(trips)s) AS t
INNER JOIN benchmark.platform AS p ON p.n = t.n
ON CONFLICT DO NOTHING
"""
# As a worker does: claim, keep the request, send, keep the answer, settle.
CLAIMS = """
SELECT count(d.done)
FROM (
    SELECT p.account_id, count(*)::integer AS waiting
    FROM benchmark.trips(%(day)s, %(hour)s, %(hours)s, %(trips)s) AS t
    INNER JOIN benchmark.platform AS p ON p.n = t.n
    GROUP BY p.account_id
) AS a
CROSS JOIN LATERAL claim_signals(a.account_id, 'worker', a.waiting, '30 seconds') AS c
CROSS JOIN LATERAL (
    SELECT split_part(s.client_request_id, '-', 2)::bigint AS ticket
    FROM trading_signals AS s WHERE s.id = c.signal_id
) AS o
CROSS JOIN LATERAL (
    SELECT jsonb_build_object('action', 1, 'symbol', 'Y1', 'volume', 0.1, 'type', 0, 'price',
        c.entry_price, 'sl', c.stop_loss, 'tp', c.take_profit, 'deviation', 20, 'type_filling', 1
    ) AS request
) AS r
CROSS JOIN LATERAL (
    SELECT
        mark_signal_sent(c.claim_id, r.request, %(at)s),
        log_mt5_order_send(
            a.account_id, r.request,
            jsonb_build_object('retcode', 10009, 'deal', o.ticket + 2, 'order', o.ticket, 'volume',
                0.1, 'price', c.entry_price, 'bid', 1.1, 'ask', 1.1001, 'comment',
                'Request executed', 'request_id', 12, 'retcode_external', 0),
            %(at)s, %(at)s::timestamptz + interval '90 ms', p_claim_id => c.claim_id
        ),
        settle_signal(c.claim_id, 'EXECUTED') AS done
) AS d
"""
API_ORDERS = """
INSERT INTO trading_orders (
    signal_id, user_id, strategy_id, account_id, mt5_order_id, symbol, order_type, volume,
    open_price, stop_loss, take_profit, opened_at
)
SELECT
    s.id, p.user_id, p.strategy_id, p.account_id, t.ticket::text, 'Y1', 'BUY', 0.1, t.price,
    t.price - 0.01, t.price + 0.02, %(at)s::timestamptz + t.after + interval '1 second'
FROM benchmark.trips(%(day)s, %(hour)s, %(hours)s, %(trips)s) AS t
INNER JOIN benchmark.platform AS p ON p.n = t.n
INNER JOIN trading_signals AS s
    ON s.user_id = p.user_id AND s.client_request_id = benchmark.request_of(t.ticket)
ON CONFLICT DO NOTHING
"""
# What the terminal tells: open positions, orders and deals of the hours, then none open.
OF_ACCOUNTS = """
FROM (
    SELECT p.account_id, {rows} AS rows
    FROM benchmark.trips(%(day)s, %(hour)s, %(hours)s, %(trips)s) AS t
    INNER JOIN benchmark.platform AS p ON p.n = t.n
    CROSS JOIN LATERAL (
        SELECT extract(epoch FROM %(at)s::timestamptz + t.after)::bigint + 1 AS opened,
            extract(epoch FROM %(at)s::timestamptz + t.after)::bigint + 301 AS closed
    ) AS c
    GROUP BY p.account_id
) AS a
"""
POSITION = """jsonb_agg(jsonb_build_object(
    'ticket', t.ticket, 'time', c.opened, 'time_msc', c.opened * 1000, 'time_update', c.opened,
    'time_update_msc', c.opened * 1000, 'type', 0, 'magic', 0, 'identifier', t.ticket, 'reason', 3,
    'volume', 0.1, 'price_open', t.price, 'sl', t.price - 0.01, 'tp', t.price + 0.02,
    'price_current', t.price, 'swap', 0, 'profit', 0, 'symbol', 'Y1', 'comment', '',
    'external_id', ''
))"""
ORDER = """jsonb_build_object(
    'ticket', t.ticket + {n}, 'time_setup', {at}, 'time_setup_msc', {at} * 1000, 'time_done', {at},
    'time_done_msc', {at} * 1000, 'time_expiration', 0, 'type', {n}, 'type_time', 0,
    'type_filling', 1, 'state', 4, 'magic', 0, 'position_id', t.ticket, 'position_by_id', 0,
    'reason', 3, 'volume_initial', 0.1, 'volume_current', 0, 'price_open', 0, 'sl', 0, 'tp', 0,
    'price_current', t.price, 'price_stoplimit', 0, 'symbol', 'Y1', 'comment', '',
    'external_id', ''
)"""
DEAL = """jsonb_build_object(
    'ticket', t.ticket + 2 + {n}, 'order', t.ticket + {n}, 'time', {at}, 'time_msc', {at} * 1000,
    'type', {n}, 'entry', {n}, 'magic', 0, 'position_id', t.ticket, 'reason', 3, 'volume', 0.1,
    'price', t.price + {n} * (t.points - 140) * 0.00001, 'commission', -0.35, 'swap', 0,
    'profit', {n} * (t.points - 140), 'fee', 0, 'symbol', 'Y1', 'comment', '', 'external_id', ''
)"""


def both(pattern: str) -> str:
    """What opens and what closes, as one array."""
    opening = pattern.format(n=0, at="c.opened")
    closing = pattern.format(n=1, at="c.closed")
    return f"jsonb_agg({opening} ORDER BY t.ticket) || jsonb_agg({closing} ORDER BY t.ticket)"


def told(kind: str, rows: str, more: str = "") -> str:
    """A call of the gateway for each account that traded in these hours."""
    return (
        "SELECT sum(i.inserted) " + OF_ACCOUNTS.format(rows=rows)
        + f"CROSS JOIN LATERAL ingest_mt5_{kind}(a.account_id, a.rows{more}) AS i"
    )  # fmt: skip


class Door(NamedTuple):
    """A statement of the hours, the role that sends it, and the table whose rows it counts."""

    name: str
    role: str
    query: str


OPENED = ", %(at)s::timestamptz + %(hours)s * interval '1 hour' - interval '2 minutes'"
CLOSED = ", %(at)s::timestamptz + %(hours)s * interval '1 hour' - interval '1 minute'"
DOORS = (
    Door("bars", GATEWAY, BARS),
    Door("ticks", GATEWAY, TICKS),
    Door("snapshots", API, SNAPSHOTS),
    Door("signals", API, SIGNALS),
    Door("claims", API, CLAIMS),
    Door("API's orders", API, API_ORDERS),
    Door("positions", GATEWAY, told("positions", POSITION, OPENED)),
    Door("MT5's orders", GATEWAY, told("orders", both(ORDER))),
    Door("deals", GATEWAY, told("deals", both(DEAL))),
    Door("closed positions", GATEWAY, told("positions", "'[]'::jsonb", CLOSED)),
)
# The balance of the evening: what the terminal says after the day's deals.
BALANCES = """
UPDATE benchmark.platform AS p
SET balance = (
    SELECT sum(d.profit + d.commission + d.swap + d.fee) FROM trading_deals AS d
    WHERE d.account_id = p.account_id
)
WHERE p.joined <= %(day)s AND coalesce(p.left_on > %(day)s, TRUE)
"""
# Events are seen when the server's clock sees them: they are moved into their simulated day.
SHIFT_EVENTS = """
WITH gone AS (
    DELETE FROM mt5_events AS e WHERE e.seen_at >= %(today)s RETURNING e.*
)
INSERT INTO mt5_events (
    account_id, id, number, seen_at, taken_at, began_at, xact_id, era, kind, what, old_values,
    new_values
) OVERRIDING SYSTEM VALUE
SELECT
    m.account_id, m.id, m.number, m.at, m.at, m.at, m.xact_id, m.era, m.kind, m.what, m.old_values,
    m.new_values
FROM (
    SELECT
        g.*,
        %(at)s::timestamptz - interval '1 day'
        + interval '1 day' * (row_number() OVER (ORDER BY g.number) - 1) / count(*) OVER () AS at
    FROM gone AS g
) AS m
ORDER BY m.at
"""
