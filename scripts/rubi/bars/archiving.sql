-- archiving.sql: months that are due, their measures, and what archives are noted.

-- MONTHS: expired months, or those of one series; is_gone: archived and dropped, is_going: by parts
SELECT
    m.symbol, m.timeframe, m.month, a.dropped_at IS NOT NULL AS is_gone,
    EXISTS (
        SELECT FROM internal.expired_bars AS x
        WHERE x.symbol = m.symbol AND x.timeframe = m.timeframe AND x.month = m.month
    ) AS is_going
FROM (
    SELECT e.symbol, e.timeframe, e.month
    FROM public.expired_bar_months() AS e
    WHERE %(symbol)s::text IS NULL
    UNION
    SELECT d.symbol, d.timeframe, date_trunc('month', d.timestamp AT TIME ZONE 'UTC')::date AS month
    FROM public.market_data AS d
    WHERE d.symbol = %(symbol)s AND d.timeframe = %(timeframe)s
) AS m
LEFT JOIN public.market_archives AS a
    ON m.symbol = a.symbol AND m.timeframe = a.timeframe AND m.month = a.month
WHERE to_char(m.month, 'YYYY-MM') >= %(since)s AND to_char(m.month, 'YYYY-MM') <= %(until)s
ORDER BY m.month, m.symbol, m.timeframe;

-- MEASURES: count, sums and hash of a month as it is in the table
SELECT
    s.bars, s.price_sum, s.volume_sum,
    public.hash_bars(
        %(symbol)s, %(timeframe)s, %(month)s::timestamp AT TIME ZONE 'UTC',
        (%(month)s::date + interval '1 month') AT TIME ZONE 'UTC'
    ) AS row_hash
FROM public.sum_bars(%(symbol)s, %(timeframe)s, %(month)s) AS s;

-- NOTE: a month whose file was proved, for the first time or again
INSERT INTO public.market_archives AS a (
    symbol, timeframe, month, location, sha256, bars, price_sum, volume_sum, row_hash
)
VALUES (
    %(symbol)s, %(timeframe)s, %(month)s, %(location)s, %(sha256)s, %(bars)s, %(price_sum)s,
    %(volume_sum)s, %(row_hash)s
)
ON CONFLICT (symbol, timeframe, month) DO UPDATE
    SET location = excluded.location, sha256 = excluded.sha256, bars = excluded.bars,
        price_sum = excluded.price_sum, volume_sum = excluded.volume_sum,
        row_hash = excluded.row_hash, archived_at = now(), dropped_at = NULL;

-- NOTED: archives of one series in a time, or of all; oldest first
SELECT
    a.symbol, a.timeframe, a.month, a.location, a.sha256, a.bars, a.price_sum, a.volume_sum,
    a.row_hash, a.dropped_at
FROM public.market_archives AS a
WHERE (%(symbol)s::text IS NULL OR (a.symbol = %(symbol)s AND a.timeframe = %(timeframe)s))
    AND to_char(a.month, 'YYYY-MM') BETWEEN %(since)s AND %(until)s
ORDER BY a.month, a.symbol, a.timeframe;

-- IS_GONE: whether a month was dropped, or is about to be
SELECT FROM public.market_archives AS a
WHERE a.symbol = %(symbol)s AND a.timeframe = %(timeframe)s AND a.month = %(month)s
    AND a.dropped_at IS NOT NULL;

-- FORGET: a damaged archive no longer lets its bars be dropped
DELETE FROM public.market_archives AS a
WHERE a.symbol = %(symbol)s AND a.timeframe = %(timeframe)s AND a.month = %(month)s
    AND a.dropped_at IS NULL;

-- RESTORED: the table has the bars of a month again
UPDATE public.market_archives AS a SET dropped_at = NULL
WHERE a.symbol = %(symbol)s AND a.timeframe = %(timeframe)s AND a.month = %(month)s;
