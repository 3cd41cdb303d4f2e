-- bars_postgresql.sql: the relation bars of the shared texts, from the hypertable.
SELECT
    m.symbol,
    CAST(extract(epoch FROM m.timestamp) AS bigint) AS ts,
    CAST(extract(epoch FROM m.timestamp AT TIME ZONE :zone) AS bigint)
    + CAST(:ahead AS bigint) * 3600 AS clock_ts,
    m.open, m.high, m.low, m.close, m.volume, m.real_volume, m.spread
FROM public.market_data AS m
WHERE m.symbol = ANY (:symbols)
    AND m.timeframe = :timeframe
    AND m.timestamp >= to_timestamp(:since)
    AND m.timestamp < to_timestamp(:until)
