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

-- EQUITY: balance and equity at the end of each day
SELECT d.day, d.account_id, d.balance, d.equity, d.drawdown_percent
FROM public.daily_equity AS d
WHERE d.user_id = %(user_id)s
    AND (%(account_id)s::bigint IS NULL OR d.account_id = %(account_id)s)
    AND (%(currency)s::text IS NULL OR d.currency = %(currency)s)
    AND d.day >= (%(start)s AT TIME ZONE 'UTC')::date
    AND d.day < (%(end)s AT TIME ZONE 'UTC')::date
ORDER BY d.day, d.account_id;

-- LAST_TRADES: the newest trades
SELECT t.order_id, t.symbol, t.order_type, t.volume, o.open_price, o.close_price,
    t.opened_at, t.closed_at, t.net
FROM (SELECT * FROM trades ORDER BY closed_at DESC, order_id DESC LIMIT %(limit)s) AS t
INNER JOIN public.trading_orders AS o ON t.order_id = o.id
ORDER BY t.closed_at DESC, t.order_id DESC;
