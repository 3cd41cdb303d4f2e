-- gaps.sql: places where bars of :length seconds are more than :minimum seconds apart, from the end
-- of one to the beginning of the next (seconds from 1970, UTC). over_weekend: another week begins
-- in it, by the clock of the series; find_bar_gaps() knows the calendar and decides which bars are
-- missing.
SELECT
    symbol,
    previous + CAST(:length AS bigint) AS gap_from,
    ts AS gap_to,
    ts - previous - CAST(:length AS bigint) AS seconds,
    clock_ts - mod(clock_ts + 345600, 604800)
    > previous_clock - mod(previous_clock + 345600, 604800) AS over_weekend
FROM (
    SELECT
        symbol,
        ts,
        clock_ts,
        lag(ts) OVER (PARTITION BY symbol ORDER BY ts) AS previous,
        lag(clock_ts) OVER (PARTITION BY symbol ORDER BY ts) AS previous_clock
    FROM bars
) AS b
WHERE ts - previous - CAST(:length AS bigint) > CAST(:minimum AS bigint)
ORDER BY symbol, gap_from
