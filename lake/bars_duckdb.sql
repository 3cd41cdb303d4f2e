-- bars_duckdb.sql: the relation bars of the shared texts, from the files of the lake.
SELECT
    symbol,
    epoch_us(timestamp) // 1000000 AS ts,
    epoch_us(timezone(:zone, timestamp)) // 1000000 + CAST(:ahead AS bigint) * 3600 AS clock_ts,
    open, high, low, close, volume, real_volume, spread
FROM lake
WHERE timestamp >= to_timestamp(:since) AND timestamp < to_timestamp(:until)
