-- 2530_find_first_stop.sql: the stop loss and take profit first seen on a position.

CALL deploy.become_owner();

-- Runs as its caller, as events_after() does. STRICT: a trade whose order tells the stop gives NULL
-- for the account and costs nothing. Two statements with a kept plan each, because a plan for each
-- call, as EXECUTE makes it, costs more than the look-up.
CREATE OR REPLACE FUNCTION public.find_first_stop(
    p_account_id bigint,
    p_position_id bigint,
    p_from timestamptz,
    p_to timestamptz,
    OUT stop numeric,
    OUT target numeric,
    OUT stop_seen_at timestamptz
)
RETURNS record
LANGUAGE plpgsql
STABLE
STRICT
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c_skew CONSTANT interval := '1 day'; -- seen_at is the database's clock
    c_first CONSTANT timestamptz := '2000-01-02 00:00:00+00'; -- no event is older
BEGIN
    IF nullif(current_setting('app.user_id', TRUE), '') IS NULL
        AND has_table_privilege('public.mt5_events', 'SELECT') THEN
        SELECT
            (array_agg(e.new_values ->> 'sl' ORDER BY e.number) FILTER (
                WHERE e.new_values ->> 'sl' IS NOT NULL
            ))[1],
            (array_agg(e.new_values ->> 'tp' ORDER BY e.number) FILTER (
                WHERE e.new_values ->> 'tp' IS NOT NULL
            ))[1],
            min(e.taken_at) FILTER (WHERE e.new_values ->> 'sl' IS NOT NULL)
        INTO stop, target, stop_seen_at
        FROM public.mt5_events AS e
        WHERE e.account_id = p_account_id
            AND e.kind = 'position'
            AND e.id = p_position_id
            AND e.seen_at >= greatest(p_from, c_first) - c_skew
            AND e.taken_at BETWEEN p_from AND p_to;
    ELSE
        SELECT
            (array_agg(e.new_values ->> 'sl' ORDER BY e.number) FILTER (
                WHERE e.new_values ->> 'sl' IS NOT NULL
            ))[1],
            (array_agg(e.new_values ->> 'tp' ORDER BY e.number) FILTER (
                WHERE e.new_values ->> 'tp' IS NOT NULL
            ))[1],
            min(e.taken_at) FILTER (WHERE e.new_values ->> 'sl' IS NOT NULL)
        INTO stop, target, stop_seen_at
        FROM public.my_mt5_events AS e
        WHERE e.account_id = p_account_id
            AND e.kind = 'position'
            AND e.id = p_position_id
            AND e.seen_at >= greatest(p_from, c_first) - c_skew
            AND e.taken_at BETWEEN p_from AND p_to;
    END IF;
END
$$;
COMMENT ON FUNCTION public.find_first_stop(bigint, bigint, timestamptz, timestamptz) IS
'Stop loss and take profit that events first tell of a position within a time, and when the stop was
seen; NULL for none.';
REVOKE ALL ON FUNCTION
public.find_first_stop(bigint, bigint, timestamptz, timestamptz) FROM public;
