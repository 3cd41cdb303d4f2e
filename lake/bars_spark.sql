-- bars_spark.sql: the relation bars of the shared texts, from the files of the lake.
SELECT
    symbol,
    unix_seconds(timestamp) AS ts,
    unix_seconds(from_utc_timestamp(timestamp, :zone)) + CAST(:ahead AS bigint) * 3600 AS clock_ts,
    open, high, low, close, volume, real_volume, spread
FROM lake
WHERE timestamp >= timestamp_seconds(:since) AND timestamp < timestamp_seconds(:until)
