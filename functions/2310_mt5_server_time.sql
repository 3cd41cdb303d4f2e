-- 2310_mt5_server_time.sql: a trade server's clock in UTC.

CALL deploy.become_owner();

-- A body bound at creation instead of a pinned search_path: without a SET clause the planner takes
-- the query into the caller's, which reads thousands of rows. The formulas are those of
-- clock_to_utc() and is_clock_ambiguous(), which would take the clock of each row apart six times:
-- the ingest of orders took 1.09 of the time. With OFFSET the clock is taken apart once a row, and
-- not at all for the usual clock, America/New_York+7.
CREATE OR REPLACE FUNCTION public.mt5_server_time(p_server text, p_time_msc bigint)
RETURNS TABLE (utc timestamptz, is_ambiguous boolean)
LANGUAGE sql
STABLE
PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        r.local_time AT TIME ZONE r.zone AS utc,
        (r.local_time AT TIME ZONE r.zone - interval '1 hour') AT TIME ZONE r.zone
        = r.local_time AS is_ambiguous
    FROM (
        SELECT
            CASE
                WHEN c.clock IS NULL THEN 'America/New_York' ELSE public.clock_zone(c.clock)
            END AS zone,
            t.shown - CASE
                WHEN c.clock IS NULL THEN interval '7 hours' ELSE public.clock_shift(c.clock)
            END AS local_time
        FROM (
            SELECT
                p_server AS server,
                timestamp 'epoch' + p_time_msc * interval '1 millisecond' AS shown
        ) AS t
        LEFT JOIN LATERAL (
            SELECT s.clock
            FROM public.mt5_server_clocks AS s
            WHERE
                s.server = t.server
                AND s.valid_from <= t.shown
                -- once a statement where the server is one for all rows: most have no rule
                AND EXISTS (
                    SELECT FROM public.mt5_server_clocks AS a
                    WHERE a.server = t.server
                )
            ORDER BY s.valid_from DESC
            LIMIT 1
        ) AS c ON TRUE
        -- noqa: disable=AM09
        OFFSET 0
    ) AS r;
END;
COMMENT ON FUNCTION public.mt5_server_time(text, bigint) IS
'UTC of p_time_msc, milliseconds since 1970 on the clock of p_server, and whether that clock shows
the moment twice. Without a rule in mt5_server_clocks: New York time + 7 hours.';
REVOKE ALL ON FUNCTION public.mt5_server_time(text, bigint) FROM public;
