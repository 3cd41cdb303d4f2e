-- 2310_mt5_server_time.sql: a trade server's clock in UTC.

CALL deploy.become_owner();

-- A body bound at creation instead of a pinned search_path: without a SET clause the planner takes
-- the query into the caller's, which reads thousands of rows.
-- PostgreSQL takes the second occurrence of an hour that the clock repeats; that the moment an hour
-- before shows the same local time marks it.
CREATE OR REPLACE FUNCTION public.mt5_server_time(p_server text, p_time_msc bigint)
RETURNS TABLE (utc timestamptz, is_ambiguous boolean)
LANGUAGE sql
STABLE
PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        u.utc,
        (u.utc - interval '1 hour') AT TIME ZONE u.zone = u.local_time AS is_ambiguous
    FROM (
        SELECT
            r.zone,
            r.local_time,
            r.local_time AT TIME ZONE r.zone AS utc
        FROM (
            SELECT
                coalesce(c.zone, 'America/New_York') AS zone,
                t.clock - coalesce(c.shift, interval '7 hours') AS local_time
            FROM (
                SELECT
                    p_server AS server,
                    timestamp 'epoch' + p_time_msc * interval '1 millisecond' AS clock
            ) AS t
            LEFT JOIN LATERAL (
                SELECT
                    s.zone,
                    s.shift
                FROM public.mt5_server_clocks AS s
                WHERE s.server = t.server AND s.valid_from <= t.clock
                ORDER BY s.valid_from DESC
                LIMIT 1
            ) AS c ON TRUE
        ) AS r
    ) AS u;
END;
COMMENT ON FUNCTION public.mt5_server_time(text, bigint) IS
'UTC of p_time_msc, milliseconds since 1970 on the clock of p_server, and whether that clock shows
the moment twice. Without a rule in mt5_server_clocks: New York time + 7 hours.';
REVOKE ALL ON FUNCTION public.mt5_server_time(text, bigint) FROM public;
