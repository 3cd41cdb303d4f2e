-- archive.sql: what the database notes of an archived month.

-- NOTE: a month that was written, read back and compared
INSERT INTO market_archives AS a (
    symbol, timeframe, month, location, sha256, bars, price_sum, volume_sum, row_hash
)
VALUES (
    %(symbol)s, %(timeframe)s, %(month)s, %(location)s, %(sha256)s, %(bars)s, %(price_sum)s,
    %(volume_sum)s, %(row_hash)s
)
ON CONFLICT (symbol, timeframe, month) DO UPDATE SET
    location = excluded.location, sha256 = excluded.sha256, bars = excluded.bars,
    price_sum = excluded.price_sum, volume_sum = excluded.volume_sum,
    row_hash = excluded.row_hash, archived_at = now(), dropped_at = NULL;

-- MEASURES: count, sums and hash of a month as the table has it
SELECT s.bars, s.price_sum, s.volume_sum,
    hash_bars(%(symbol)s, %(timeframe)s, %(first)s, %(after)s) AS row_hash
FROM sum_bars(%(symbol)s, %(timeframe)s, %(month)s) AS s;

-- EXPIRED: series and months that expire
SELECT e.symbol, e.timeframe, e.month
FROM expired_bar_months() AS e
WHERE to_char(e.month, 'YYYY-MM') BETWEEN %(since)s AND %(until)s
ORDER BY e.month, e.symbol, e.timeframe;

-- OF_SERIES: months of one series
SELECT DISTINCT
    d.symbol, d.timeframe, date_trunc('month', d.timestamp AT TIME ZONE 'UTC')::date AS month
FROM market_data AS d
WHERE
    d.symbol = %(symbol)s
    AND d.timeframe = %(timeframe)s
    AND to_char(d.timestamp, 'YYYY-MM') BETWEEN %(since)s AND %(until)s
ORDER BY month;
