-- 2310_mt5_server_time.sql: a trade server's clock in UTC.

CALL deploy.become_owner();

-- A body bound at creation instead of a pinned search_path: without a SET clause the planner takes
-- the query into the caller's, which reads thousands of rows. OFFSET and the SELECT of its own let
-- the domain look at the usual clock once, not for each row.
CREATE OR REPLACE FUNCTION public.mt5_server_time(p_server text, p_time_msc bigint)
RETURNS TABLE (utc timestamptz, is_ambiguous boolean)
LANGUAGE sql
STABLE
PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        public.clock_to_utc(r.shown, r.clock) AS utc,
        public.is_clock_ambiguous(r.shown, r.clock) AS is_ambiguous
    FROM (
        SELECT
            t.shown,
            coalesce(c.clock, (SELECT 'America/New_York+7'::public.server_clock)) AS clock
        FROM (
            SELECT
                p_server AS server,
                timestamp 'epoch' + p_time_msc * interval '1 millisecond' AS shown
        ) AS t
        LEFT JOIN LATERAL (
            SELECT s.clock
            FROM public.mt5_server_clocks AS s
            WHERE s.server = t.server AND s.valid_from <= t.shown
            ORDER BY s.valid_from DESC
            LIMIT 1
        ) AS c ON TRUE
        OFFSET 0 -- noqa: AM09
    ) AS r;
END;
COMMENT ON FUNCTION public.mt5_server_time(text, bigint) IS
'UTC of p_time_msc, milliseconds since 1970 on the clock of p_server, and whether that clock shows
the moment twice. Without a rule in mt5_server_clocks: New York time + 7 hours.';
REVOKE ALL ON FUNCTION public.mt5_server_time(text, bigint) FROM public;
