-- 2170_fence_snapshots.sql: chunks of account_snapshots over all time, so that no client makes one.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION internal.snapshot_holes()
RETURNS SETOF timestamptz
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH chunks AS (
        SELECT
            c.range_start,
            c.range_end
        FROM timescaledb_information.chunks AS c
        WHERE c.hypertable_schema = 'public' AND c.hypertable_name = 'account_snapshots'
    ),

    -- chunks of every length are cut at 1970
    edges AS (
        SELECT
            '-infinity'::timestamptz AS range_start,
            '-infinity'::timestamptz AS range_end
        UNION ALL
        SELECT c.range_start, c.range_end FROM chunks AS c
        UNION ALL
        SELECT 'infinity', 'infinity'
    ),

    next AS (
        SELECT
            e.range_end AS hole_start,
            lead(e.range_start) OVER (ORDER BY e.range_end, e.range_start) AS hole_end
        FROM edges AS e
    )

    SELECT p.at
    FROM next AS n
    CROSS JOIN LATERAL (
        SELECT greatest(n.hole_start, '1969-12-31 00:00:00+00') AS at
        UNION
        SELECT greatest(n.hole_start, '1970-01-01 00:00:00+00')
    ) AS p
    WHERE n.hole_start < n.hole_end AND p.at < n.hole_end
$$;
COMMENT ON FUNCTION internal.snapshot_holes() IS
'A moment within each stretch of time that has no chunk of account_snapshots.';
REVOKE ALL ON FUNCTION internal.snapshot_holes() FROM public;

-- A hypertable makes the chunk of a row before any CHECK or trigger looks at the row, and a new
-- chunk of account_snapshots takes SHARE ROW EXCLUSIVE on mt5_sessions: all heartbeats wait until
-- the client's transaction ends. So chunks are there before clients come: one a week for the weeks
-- asked for, and large ones, the fences, for all other time. A row that comes late lies in the
-- fence of the past; a row that the CHECK does not allow is refused within a fence.
CREATE OR REPLACE FUNCTION internal.fence_snapshots(p_from timestamptz, p_to timestamptz)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_week interval := (
        SELECT d.time_interval
        FROM timescaledb_information.dimensions AS d
        WHERE d.hypertable_schema = 'public' AND d.hypertable_name = 'account_snapshots'
    );
    v_from timestamptz := greatest(p_from, '2000-01-01 00:00:00+00');
    v_nobody uuid := '00000000-0000-0000-0000-000000000000';
    v_left_out bigint := -9223372036854775808; -- leave_chunk_row_out() leaves such rows out
    v_starts timestamptz[];
    v_ends timestamptz[];
BEGIN
    -- a snapshot from before the lock would not see rows that others commit while we wait: such
    -- rows would be lost with their chunk
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'active_sql_transaction',
            MESSAGE = 'chunks of account_snapshots can''t be cut in a transaction of this '
                'isolation',
            HINT = 'SET default_transaction_isolation = ''read committed'', and call again.';
    END IF;
    SELECT array_agg(c.range_start), array_agg(c.range_end) INTO v_starts, v_ends
    FROM timescaledb_information.chunks AS c
    WHERE c.hypertable_schema = 'public'
        AND c.hypertable_name = 'account_snapshots'
        AND c.range_start + v_week * 1.5 < c.range_end
        AND c.range_start < p_to AND c.range_end > v_from;
    IF v_starts IS NULL AND NOT EXISTS (SELECT FROM internal.snapshot_holes()) THEN
        RETURN FALSE;
    END IF;
    LOCK TABLE public.account_snapshots IN SHARE ROW EXCLUSIVE MODE;

    -- Fences in the way give room. Their rows, which came late or before their chunks were made,
    -- move to the new chunks.
    CREATE TEMPORARY TABLE fenced_snapshots ON COMMIT DROP AS
    SELECT
        s.id, s.session_id, s.balance, s.equity, s.margin, s.margin_free, s.margin_level, s.profit,
        s.timestamp
    FROM public.account_snapshots AS s
    INNER JOIN unnest(v_starts, v_ends) AS f (range_start, range_end)
        ON s.timestamp >= f.range_start AND s.timestamp < f.range_end;
    PERFORM public.drop_chunks(
        'public.account_snapshots'::regclass,
        older_than => nullif(f.range_end, 'infinity'), newer_than => f.range_start
    )
    FROM unnest(v_starts, v_ends) AS f (range_start, range_end);

    INSERT INTO public.account_snapshots (id, session_id, balance, equity, timestamp)
    SELECT v_left_out, v_nobody, 0, 0, w.at
    FROM generate_series(v_from, p_to, v_week) AS w (at)
    UNION ALL
    SELECT v_left_out, v_nobody, 0, 0, p_to;
    PERFORM public.set_chunk_time_interval(
        'public.account_snapshots'::regclass, 9223372036854775807
    );
    INSERT INTO public.account_snapshots (id, session_id, balance, equity, timestamp)
    SELECT v_left_out, v_nobody, 0, 0, h.at
    FROM internal.snapshot_holes() AS h (at);
    PERFORM public.set_chunk_time_interval('public.account_snapshots'::regclass, v_week);

    INSERT INTO public.account_snapshots (
        id, session_id, balance, equity, margin, margin_free, margin_level, profit, timestamp
    )
    SELECT
        f.id, f.session_id, f.balance, f.equity, f.margin, f.margin_free, f.margin_level, f.profit,
        f.timestamp
    FROM pg_temp.fenced_snapshots AS f;
    DROP TABLE pg_temp.fenced_snapshots;
    RETURN TRUE;
END
$$;
COMMENT ON FUNCTION internal.fence_snapshots(timestamptz, timestamptz) IS
'Makes the weekly chunks of account_snapshots between two moments, and fences for all time without a
chunk. Answers FALSE, without taking a lock, when no chunk was missing.';
REVOKE ALL ON FUNCTION internal.fence_snapshots(timestamptz, timestamptz) FROM public;
