-- candles.sql: bars and trades of a symbol, and orders that are in no figure.

-- SERIES: traded symbols, most traded first, with the timeframes there are bars of
WITH traded AS (
    SELECT t.symbol, count(*) AS trades, min(o.account_id) AS account_id
    FROM trades AS t
    INNER JOIN public.trading_orders AS o ON t.order_id = o.id
    GROUP BY t.symbol
),

named AS (
    SELECT t.symbol, t.trades, n.bar_symbol, n.rank
    FROM traded AS t
    CROSS JOIN LATERAL (
        VALUES (t.symbol, 1), (public.canonical_symbol(t.account_id, t.symbol), 2)
    ) AS n (bar_symbol, rank)
    WHERE n.bar_symbol IS NOT NULL
)

SELECT n.symbol, n.trades, n.bar_symbol,
    array_agg(c.timeframe::text) FILTER (WHERE c.last_timestamp IS NOT NULL) AS timeframes
FROM named AS n
LEFT JOIN public.market_data_coverage AS c ON n.bar_symbol = c.symbol
GROUP BY n.symbol, n.trades, n.bar_symbol, n.rank
ORDER BY n.trades DESC, n.symbol ASC, n.rank ASC;

-- TIMEFRAME: the finest that shows a span in few enough bars, else the longest that is stored; the
-- stored one of which it is made; its length, of a month 30 days
WITH ladder AS (
    SELECT t.name, public.timeframe_length(t.name) AS length,
        t.name = 'MN1' OR %(span)s <= public.timeframe_length(t.name) * %(most)s AS is_short
    FROM unnest('{M1,M5,M15,M30,H1,H4,D1,W1,MN1}'::text[]) AS t (name)
),

made AS (
    SELECT l.name, l.length, l.is_short, s.name AS stored
    FROM ladder AS l
    CROSS JOIN LATERAL (
        SELECT p.name
        FROM ladder AS p
        WHERE p.name = ANY (%(stored)s) AND p.length <= l.length
        ORDER BY p.length DESC
        LIMIT 1
    ) AS s
    -- a month is made of no weeks
    WHERE (l.name, s.name) <> ('MN1', 'W1')
)

SELECT m.name, m.stored, m.length
FROM made AS m
WHERE m.is_short OR m.name = m.stored
ORDER BY m.is_short DESC, CASE WHEN m.is_short THEN m.length ELSE -m.length END
LIMIT 1;

-- TRADES: the newest trades of a symbol, oldest first
SELECT t.order_id, t.order_type, t.volume, o.open_price, o.close_price, t.opened_at,
    t.closed_at, t.net
FROM (
    SELECT *
    FROM trades
    WHERE symbol = %(symbol)s
    ORDER BY closed_at DESC, order_id DESC
    LIMIT %(limit)s
) AS t
INNER JOIN public.trading_orders AS o ON t.order_id = o.id
ORDER BY t.closed_at, t.order_id;

-- UNTOLD: closed orders without a price, and those of no account
SELECT count(*) FILTER (WHERE o.close_price IS NULL),
    count(*) FILTER (WHERE o.close_price IS NOT NULL AND o.account_id IS NULL)
FROM public.trading_orders AS o
WHERE o.user_id = %(user_id)s
    AND o.closed_at >= %(start)s AND o.closed_at < %(end)s
    AND (%(strategy_id)s::bigint IS NULL OR o.strategy_id = %(strategy_id)s)
    AND (%(account_id)s::bigint IS NULL OR o.account_id = %(account_id)s);

-- MAY_READ_PROOFS: whether this login may
SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
WHERE n.nspname = 'monitoring' AND c.relname = 'proofs';

-- SESSIONS: whether the calendar of a symbol has any
SELECT count(*)
FROM public.market_sessions AS s
WHERE s.calendar = coalesce(
        (SELECT c.calendar FROM public.market_calendars AS c WHERE c.symbol = %(symbol)s), 'forex'
    );

-- GAPS: bars missing within a time; a candle may begin before the series does, where nothing is
-- missing
SELECT count(*), coalesce(sum(g.missing_bars), 0), max(g.open_time)
FROM public.find_bar_gaps(
    %(symbol)s, %(frame)s,
    greatest(
        %(start)s,
        (
            SELECT min(b.timestamp)
            FROM public.market_data AS b
            WHERE b.symbol = %(symbol)s AND b.timeframe = %(frame)s
        )
    ),
    %(end)s
) AS g;
