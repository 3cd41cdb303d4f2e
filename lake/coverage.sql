-- coverage.sql: from when to when there are bars (seconds from 1970, UTC), on how many days by the
-- clock of the series, and how many.
SELECT
    symbol,
    min(ts) AS first_ts,
    max(ts) AS last_ts,
    count(DISTINCT clock_ts - mod(clock_ts, 86400)) AS days,
    count(*) AS bars
FROM bars
GROUP BY symbol
ORDER BY symbol
