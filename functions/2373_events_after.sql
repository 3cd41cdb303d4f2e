-- 2373_events_after.sql: events for readers that must miss none.

CALL deploy.become_owner();

-- Transactions end in another order than they begin to write. So events are read in the order of
-- their transactions' numbers, and only below the number of the oldest transaction that still runs:
-- nothing can appear there any more. A standby has no timeline of its own: the latest era counts.
CREATE OR REPLACE FUNCTION public.mt5_event_horizon(OUT era integer, OUT xact_id bigint)
RETURNS record
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
SECURITY DEFINER -- eras are the owner's
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    xact_id := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
    IF pg_is_in_recovery() THEN
        SELECT max(e.era) INTO era FROM internal.mt5_event_eras AS e;
    ELSE
        SELECT e.era INTO era
        FROM internal.mt5_event_eras AS e
        WHERE e.cluster_id = (SELECT c.system_identifier FROM pg_control_system() AS c)
            AND e.timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)
            AND e.database_id = (
                SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()
            );
    END IF;
    -- nobody has written in this era: all events are of earlier eras, whose transactions have ended
    era := coalesce(era, 2147483647);
END
$$;
COMMENT ON FUNCTION public.mt5_event_horizon() IS
'Era and number of the oldest transaction that may still write an event: readers see those below.';
REVOKE ALL ON FUNCTION public.mt5_event_horizon() FROM public;

-- Runs as its caller. Callers without rights on mt5_events, or with app.user_id set, read through
-- the view. EXECUTE plans with the cursor's values, so that older chunks are left out.
CREATE OR REPLACE FUNCTION public.events_after(
    p_cursor text DEFAULT NULL,
    p_limit bigint DEFAULT 1000
)
RETURNS TABLE (
    cursor text,
    account_id bigint,
    kind text,
    what text,
    id bigint,
    seen_at timestamptz,
    taken_at timestamptz,
    old_values jsonb,
    new_values jsonb
)
LANGUAGE plpgsql
STABLE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_parts numeric[];
    v_from timestamptz := '-infinity';
    v_source CONSTANT text := CASE
        WHEN nullif(current_setting('app.user_id', TRUE), '') IS NULL
            AND has_table_privilege('public.mt5_events', 'SELECT')
            THEN 'mt5_events'
        ELSE 'my_mt5_events'
    END;
BEGIN
    IF p_cursor !~ '^[0-9]{1,10}(-[0-9]{1,18}){3}$' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB075',
            MESSAGE = format('%s is no cursor', quote_literal(left(p_cursor, 60))),
            HINT = 'Give a cursor that events_after() answered, or NULL to begin with the first.';
    END IF;
    v_parts := string_to_array(coalesce(p_cursor, '0-0-0-0'), '-')::numeric[];
    IF p_cursor IS NOT NULL THEN
        -- an hour for a clock that was set back
        v_from := to_timestamp(v_parts[4] / 1000000) - interval '1 hour';
    END IF;
    RETURN QUERY EXECUTE format(
        $events$
            SELECT
                concat_ws(
                    '-', e.era, e.xact_id, e.number,
                    (date_part('epoch', e.began_at) * 1000000)::bigint
                ),
                e.account_id, e.kind::text, e.what::text, e.id, e.seen_at,
                e.taken_at::timestamptz, e.old_values::jsonb, e.new_values::jsonb
            FROM public.%I AS e
            WHERE (e.era, e.xact_id, e.number) > ($1, $2, $3)
                AND (e.era, e.xact_id) < ($4, $5)
                AND e.seen_at >= $6
            ORDER BY e.era, e.xact_id, e.number
            LIMIT $7
        $events$, v_source
    ) USING
        least(v_parts[1], 2147483647)::integer, v_parts[2]::bigint, v_parts[3]::bigint,
        (SELECT h.era FROM public.mt5_event_horizon() AS h),
        (SELECT h.xact_id FROM public.mt5_event_horizon() AS h),
        v_from, p_limit;
END
$$;
COMMENT ON FUNCTION public.events_after(text, bigint) IS
'The next events after a cursor, NULL for the first, at most p_limit, each with the cursor to go on
from: a reader that keeps the last one it worked off misses none and has none twice, after a restore
or failover too. With app.user_id set, and for tenants always, those of that user. Events of a
transaction come when all transactions that began to write before it have ended, in any database of
the server. Raises RB075 for a text that is no cursor.';
REVOKE ALL ON FUNCTION public.events_after(text, bigint) FROM public;
