-- coverage.sql: first and last bar (seconds from 1970, UTC), number of days by the clock of the
-- series, and number of bars.
SELECT
    symbol,
    min(ts) AS first_ts,
    max(ts) AS last_ts,
    count(DISTINCT clock_ts - mod(clock_ts, 86400)) AS days,
    count(*) AS bars
FROM bars
GROUP BY symbol
ORDER BY symbol
