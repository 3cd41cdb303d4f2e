-- resample.sql: bars of :step seconds, 60 to 604800, as resample_bars() makes them.
-- opened counts seconds from 1970: in UTC up to an hour, by the clock of the series above, because
-- that clock begins days. 345600 seconds later weeks begin on Sunday, as in MT5.
SELECT
    symbol,
    opened,
    min_by(open, ts) AS open,
    max(high) AS high,
    min(low) AS low,
    max_by(close, ts) AS close,
    CAST(sum(volume) AS bigint) AS volume,
    CAST(sum(real_volume) AS decimal(38, 8)) AS real_volume,
    min(spread) AS spread,
    count(*) AS bars
FROM (
    SELECT
        symbol,
        ts,
        CASE
            WHEN CAST(:step AS bigint) <= 3600 THEN ts - mod(ts, CAST(:step AS bigint))
            ELSE clock_ts - mod(clock_ts + 345600, CAST(:step AS bigint))
        END AS opened,
        open,
        high,
        low,
        close,
        volume,
        real_volume,
        spread
    FROM bars
) AS b
GROUP BY symbol, opened
ORDER BY symbol, opened
