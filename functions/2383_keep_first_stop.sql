-- 2383_keep_first_stop.sql: the stop and target that appear on a position.

CALL deploy.become_owner();

-- For internal.note_position(). A later picture of the same moment has what was missing in the
-- first: a row of the API that MT5 names is named before it is changed.
CREATE OR REPLACE FUNCTION internal.keep_first_stop(
    p_position public.trading_positions,
    p_taken_at timestamptz,
    p_stop numeric,
    p_target numeric
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO public.mt5_first_stops AS f (
        account_id, position_id, taken_at, side, stop, target
    )
    VALUES (
        p_position.account_id, p_position.identifier, coalesce(p_taken_at, clock_timestamp()),
        p_position.type, p_stop, p_target
    )
    ON CONFLICT ON CONSTRAINT mt5_first_stops_pkey DO UPDATE
    SET
        stop = coalesce(f.stop, excluded.stop),
        target = coalesce(f.target, excluded.target);
END
$$;
COMMENT ON FUNCTION internal.keep_first_stop(
    public.trading_positions, timestamptz, numeric, numeric
) IS
'Keeps a stop or target that appeared on a position; NULL for one that did not.';
REVOKE ALL ON FUNCTION internal.keep_first_stop(
    public.trading_positions, timestamptz, numeric, numeric
) FROM public;

-- For positions from before the table: what their events tell, as long as these are stored. An
-- event names what changed alone: the side is that of the latest one that names it.
CREATE OR REPLACE FUNCTION internal.find_first_stops_in_events(p_account_id bigint)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO public.mt5_first_stops AS f (
        account_id, position_id, taken_at, side, stop, target
    )
    SELECT p_account_id, n.id, n.taken_at, n.side, max(n.stop), max(n.target)
    FROM (
        SELECT
            e.id,
            e.taken_at,
            first_value(e.new_values ->> 'type') OVER turned AS side,
            CASE count(e.new_values ->> 'sl') OVER turned WHEN 1 THEN e.new_values ->> 'sl' END
                ::numeric AS stop,
            CASE count(e.new_values ->> 'tp') OVER turned WHEN 1 THEN e.new_values ->> 'tp' END
                ::numeric AS target
        FROM (
            SELECT
                v.*,
                count(v.new_values ->> 'type') OVER (PARTITION BY v.id ORDER BY v.number) AS turn
            FROM public.mt5_events AS v
            WHERE v.account_id = p_account_id AND v.kind = 'position'
        ) AS e
        WINDOW turned AS (PARTITION BY e.id, e.turn ORDER BY e.number)
    ) AS n
    WHERE n.side IS NOT NULL AND (n.stop IS NOT NULL OR n.target IS NOT NULL)
    GROUP BY n.id, n.taken_at, n.side
    ON CONFLICT ON CONSTRAINT mt5_first_stops_pkey DO NOTHING;
END
$$;
COMMENT ON FUNCTION internal.find_first_stops_in_events(bigint) IS
'Keeps the stops and targets that the stored events of an account tell and that are not kept yet.';
REVOKE ALL ON FUNCTION internal.find_first_stops_in_events(bigint) FROM public;
