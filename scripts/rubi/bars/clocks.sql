-- clocks.sql: whether the times of a file fit a clock.

-- ODD_TIMES: number of moments that begin no bar, by each clock
WITH moments AS MATERIALIZED (
    SELECT
        CASE
            WHEN %(clock)s::text IS NULL THEN x.t::timestamptz
            ELSE clock_to_utc(x.t::timestamp, %(clock)s)
        END AS moment
    FROM unnest(%(texts)s::text[]) AS x (t)
)

SELECT
    c.clock,
    count(m.moment) FILTER (
        WHERE mod(
            (date_part('epoch', utc_to_clock(m.moment, c.clock)) * 1000000)::bigint,
            (1000000 * least(date_part('epoch', timeframe_length(%(frame)s)), 86400))::bigint
        ) <> 0
    ) AS odd
FROM unnest(%(clocks)s::server_clock[]) AS c (clock)
CROSS JOIN moments AS m
GROUP BY c.clock;
