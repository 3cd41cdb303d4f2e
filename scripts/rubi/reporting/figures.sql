-- figures.sql: the report's figures of trades and of equity.

-- CURVE: of each group of trades the lowest and highest point, so that no peak or fall is lost
WITH running AS (
    SELECT t.closed_at, t.order_id, sum(t.net) OVER w AS total, row_number() OVER w AS number
    FROM trades AS t
    WINDOW w AS (ORDER BY t.closed_at, t.order_id ROWS UNBOUNDED PRECEDING)
),

fallen AS (
    SELECT r.closed_at, r.number, r.total,
        greatest(max(r.total) OVER (ORDER BY r.number ROWS UNBOUNDED PRECEDING), 0) - r.total
            AS fall,
        (r.number - 1) * least(%(points)s, count(*) OVER ()) / count(*) OVER () AS part
    FROM running AS r
)

SELECT
    f.part,
    count(*) AS trades,
    min(f.total) AS low,
    (array_agg(f.closed_at ORDER BY f.total, f.number))[1] AS low_at,
    (array_agg(f.number ORDER BY f.total, f.number))[1] AS low_number,
    max(f.total) AS high,
    (array_agg(f.closed_at ORDER BY f.total DESC, f.number ASC))[1] AS high_at,
    (array_agg(f.number ORDER BY f.total DESC, f.number ASC))[1] AS high_number,
    max(f.fall) AS fall,
    (array_agg(f.closed_at ORDER BY f.fall DESC, f.number ASC))[1] AS fall_at,
    (array_agg(f.total ORDER BY f.number DESC))[1] AS last,
    max(f.closed_at) AS last_at
FROM fallen AS f
GROUP BY f.part
ORDER BY f.part;

-- RANGE: the net results between which all but one percent of the trades lie
SELECT
    percentile_disc(0.005) WITHIN GROUP (ORDER BY t.net),
    percentile_disc(0.995) WITHIN GROUP (ORDER BY t.net)
FROM trades AS t;

-- DISTRIBUTION: number of trades in each bin of one width
WITH counted AS (
    SELECT greatest(least(floor(t.net / %(width)s), %(last)s + 1), %(first)s - 1) AS bin,
        count(*) AS trades
    FROM trades AS t
    GROUP BY 1
)

SELECT b.bin * %(width)s AS low, (b.bin + 1) * %(width)s AS high,
    b.bin < %(first)s AS is_open_below, b.bin > %(last)s AS is_open_above,
    coalesce(c.trades, 0) AS trades
FROM generate_series(%(first)s - 1, %(last)s + 1) AS b (bin)
LEFT JOIN counted AS c ON b.bin = c.bin
WHERE b.bin BETWEEN %(first)s AND %(last)s OR c.trades > 0
ORDER BY b.bin;

-- EQUITY: balance and equity at the end of each day; each account keeps its last state until its
-- next day, and of several the fall is that of their sum
WITH found AS (
    SELECT d.day, d.account_id, d.drawdown_percent,
        d.balance - lag(d.balance, 1, 0::numeric) OVER w AS balance_moved,
        d.equity - lag(d.equity, 1, 0::numeric) OVER w AS equity_moved
    FROM public.daily_equity AS d
    WHERE d.user_id = %(user_id)s AND %(strategy_id)s::bigint IS NULL
        AND (%(account_id)s::bigint IS NULL OR d.account_id = %(account_id)s)
        -- trades that name no account say no currency; then the only one of the accounts
        AND d.currency = coalesce(%(currency)s::text, (
            SELECT min(a.currency)
            FROM public.mt5_accounts AS a
            WHERE a.user_id = %(user_id)s
            HAVING min(a.currency) = max(a.currency)
        ))
        AND d.day >= (%(start)s AT TIME ZONE 'UTC')::date
        AND d.day < (%(end)s AT TIME ZONE 'UTC')::date
    WINDOW w AS (PARTITION BY d.account_id ORDER BY d.day)
),

summed AS (
    SELECT f.day, max(f.drawdown_percent) AS drawdown_percent,
        sum(sum(f.balance_moved)) OVER (ORDER BY f.day) AS balance,
        sum(sum(f.equity_moved)) OVER (ORDER BY f.day) AS equity
    FROM found AS f
    GROUP BY f.day
),

fallen AS (
    SELECT s.day, s.balance, s.equity, s.drawdown_percent,
        max(s.equity) OVER (ORDER BY s.day) AS high
    FROM summed AS s
)

SELECT f.day, f.balance, f.equity,
    CASE
        WHEN (SELECT count(DISTINCT o.account_id) FROM found AS o) = 1 THEN f.drawdown_percent
        WHEN f.high > 0 THEN 100 * (f.high - f.equity) / f.high
    END AS drawdown_percent
FROM fallen AS f
ORDER BY f.day;

-- GROUPS: results by month, symbol, hour and weekday; the best symbol first
SELECT g.grouped_by, g.month, g.symbol, g.hour, g.weekday, g.trades, g.winning_trades, g.win_rate,
    g.net_profit, g.profit_factor, g.average_profit
FROM public.group_trades(
    %(user_id)s, %(start)s, %(end)s, %(currency)s, %(strategy_id)s, %(account_id)s
) AS g
ORDER BY CASE g.grouped_by WHEN 'symbol' THEN -g.net_profit END, g.month, g.symbol, g.hour,
    g.weekday;

-- LAST_TRADES: the newest trades
SELECT t.order_id, t.symbol, t.order_type, t.volume, o.open_price, o.close_price,
    t.opened_at, t.closed_at, t.net
FROM (SELECT * FROM trades ORDER BY closed_at DESC, order_id DESC LIMIT %(limit)s) AS t
INNER JOIN public.trading_orders AS o ON t.order_id = o.id
ORDER BY t.closed_at DESC, t.order_id DESC;

-- EXPOSURE: open positions
SELECT e.currency, e.symbol, e.positions, e.long_volume, e.short_volume, e.net_volume, e.net_profit
FROM public.exposure_by_symbol AS e
WHERE e.user_id = %(user_id)s
ORDER BY e.symbol, e.currency;

-- RISK: the accounts' distance from trouble
SELECT r.account_number, r.broker, r.currency, r.as_of, r.balance, r.equity, r.margin_level,
    r.drawdown, r.drawdown_percent, r.loss_against_equity, r.distance_to_margin_call,
    r.distance_to_stop_out
FROM public.account_risk AS r
WHERE r.user_id = %(user_id)s
    AND (%(account_id)s::bigint IS NULL OR r.account_id = %(account_id)s)
ORDER BY r.account_number, r.account_id;

-- DIGITS: decimals of the currency, as the accounts' terminals tell them; NULL where none does
SELECT max(s.currency_digits)
FROM public.mt5_accounts AS a
INNER JOIN public.mt5_account_states AS s ON a.id = s.account_id
WHERE a.user_id = %(user_id)s
    AND a.currency = %(currency)s
    AND (%(account_id)s::bigint IS NULL OR a.id = %(account_id)s);

-- METRICS: all figures of the period
SELECT *  -- noqa: AM04
FROM public.calculate_performance_metrics(
    p_user_id => %(user_id)s, p_strategy_id => %(strategy_id)s, p_period_start => %(start)s,
    p_period_end => %(end)s, p_risk_free => %(risk_free)s, p_account_id => %(account_id)s
);

-- DEFINITIONS: what each figure means
SELECT a.attname, col_description(a.attrelid, a.attnum)
FROM pg_attribute AS a
WHERE a.attrelid = 'public.performance_metrics'::regclass AND a.attnum > 0 AND NOT a.attisdropped;
