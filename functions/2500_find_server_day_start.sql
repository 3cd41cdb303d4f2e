-- 2500_find_server_day_start.sql: the beginning of an account's day by its trade server.

CALL deploy.become_owner();

-- The rule of the server's clock that holds at the moment, as mt5_server_time reads them.
CREATE OR REPLACE FUNCTION public.find_server_day_start(p_account_id bigint, p_at timestamptz)
RETURNS timestamptz
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT public.clock_day_start(date_trunc('day', public.utc_to_clock(p_at, r.clock)), r.clock)
    FROM (
        SELECT coalesce(c.clock, 'America/New_York+7'::public.server_clock) AS clock
        FROM (SELECT p_account_id AS account_id) AS t
        LEFT JOIN LATERAL (
            SELECT s.clock
            FROM public.mt5_accounts AS a
            INNER JOIN public.mt5_server_clocks AS s ON a.server = s.server
            WHERE a.id = t.account_id AND s.valid_from <= public.utc_to_clock(p_at, s.clock)
            ORDER BY s.valid_from DESC
            LIMIT 1
        ) AS c ON TRUE
    ) AS r
$$;
COMMENT ON FUNCTION public.find_server_day_start(bigint, timestamptz) IS
'Beginning of the trade server''s day that holds a moment, by the rule of its clock
in mt5_server_clocks; without one New York time + 7 hours: the day begins at 17:00 in New York.';
REVOKE ALL ON FUNCTION public.find_server_day_start(bigint, timestamptz) FROM public;
