-- returns.sql: close and simple return of bars of :step seconds, against the bar before; NULL for
-- the first one and after a price of 0. Both closes become floats before they are divided: one
-- IEEE division and one subtraction give the same bits in every engine, logarithms would not.
SELECT
    symbol,
    opened,
    close,
    CAST(close AS double) / nullif(CAST(previous AS double), 0) - 1 AS simple_return
FROM (
    SELECT
        symbol,
        opened,
        close,
        lag(close) OVER (PARTITION BY symbol ORDER BY opened) AS previous
    FROM (
        SELECT
            symbol,
            opened,
            max_by(close, ts) AS close
        FROM (
            SELECT
                symbol,
                ts,
                close,
                CASE
                    WHEN CAST(:step AS bigint) <= 3600 THEN ts - mod(ts, CAST(:step AS bigint))
                    ELSE clock_ts - mod(clock_ts + 345600, CAST(:step AS bigint))
                END AS opened
            FROM bars
        ) AS b
        GROUP BY symbol, opened
    ) AS c
) AS r
ORDER BY symbol, opened
