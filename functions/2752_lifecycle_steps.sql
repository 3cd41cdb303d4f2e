-- 2752_lifecycle_steps.sql: what is due by monitoring.lifecycle, and what a run would do.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION internal.count_step(
    p_policy monitoring.lifecycle,
    p_step text,
    p_since timestamptz,
    p_until timestamptz
)
RETURNS bigint
LANGUAGE plpgsql
STABLE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
    v_rows bigint;
BEGIN
    IF p_step = 'compact' THEN
        RETURN 0;
    ELSIF p_step LIKE 'thin to the %' THEN
        RETURN (
            SELECT count(*)
            FROM internal.find_spare_snapshots(
                split_part(p_step, ' ', 4), p_since, p_until
            )
        );
    END IF;
    EXECUTE format(
        'SELECT count(*) FROM %s AS r WHERE r.%2$I >= $1 AND r.%2$I < $2',
        (p_policy).relation::regclass, (p_policy).time_column
    ) INTO v_rows USING p_since, p_until;
    RETURN v_rows;
END
$$;
COMMENT ON FUNCTION
internal.count_step(monitoring.lifecycle, text, timestamptz, timestamptz) IS
'Rows that a step would take away, or write to a file.';
REVOKE ALL ON FUNCTION
internal.count_step(monitoring.lifecycle, text, timestamptz, timestamptz) FROM public;

CREATE OR REPLACE FUNCTION internal.find_thinning_steps(p_policy monitoring.lifecycle)
RETURNS TABLE (
    step text,
    range_start timestamptz,
    range_end timestamptz,
    due_since timestamptz
)
LANGUAGE sql
STABLE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
    WITH due AS MATERIALIZED (
        SELECT
            CASE WHEN d.day + 1 <= now() - (p_policy).keep_hourly THEN 'day' ELSE 'hour' END
                AS step,
            d.day
        FROM internal.find_snapshot_days(
            now() - (p_policy).keep_full - interval '1 day'
        ) AS d
    ),
    thin AS MATERIALIZED (
        SELECT d.step, d.day
        FROM due AS d
        WHERE NOT EXISTS (
            SELECT FROM monitoring.thinned_days AS t
            WHERE t.relation = (p_policy).relation
                AND t.day = d.day
                AND t.level IN (d.step, 'day')
        )
    )
    SELECT
        'thin to the ' || t.step,
        t.day::timestamptz,
        (t.day + 1)::timestamptz,
        t.day + 1
        + CASE t.step WHEN 'day' THEN (p_policy).keep_hourly ELSE (p_policy).keep_full END
    FROM thin AS t
    UNION ALL
    SELECT
        'compact',
        c.range_start,
        c.range_end,
        max(n.thinned_at)
    FROM timescaledb_information.chunks AS c
    INNER JOIN monitoring.thinned_days AS n
        ON n.relation = (p_policy).relation
            AND n.compacted_at IS NULL
            AND n.day >= c.range_start AND n.day < c.range_end
    WHERE format('%I.%I', c.hypertable_schema, c.hypertable_name) = (p_policy).relation
        -- once, when no day of the chunk is to be thinned to this level any more
        AND (
            c.range_end <= now() - (p_policy).keep_full - interval '1 day'
            -- a fence; PostgreSQL 17 is the first to subtract infinite times
            OR c.range_end > c.range_start + interval '31 days'
        )
        AND NOT EXISTS (
            SELECT FROM thin AS t WHERE t.day >= c.range_start AND t.day < c.range_end
        )
    GROUP BY c.range_start, c.range_end
$$;
COMMENT ON FUNCTION internal.find_thinning_steps(monitoring.lifecycle) IS
'Days of snapshots that are due to be thinned, and chunks that are due to be written again.';
REVOKE ALL ON FUNCTION internal.find_thinning_steps(monitoring.lifecycle) FROM public;

CREATE OR REPLACE FUNCTION internal.find_archived_steps(p_policy monitoring.lifecycle)
RETURNS TABLE (
    step text,
    range_start timestamptz,
    range_end timestamptz,
    due_since timestamptz,
    chunk regclass
)
LANGUAGE sql
STABLE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH expired AS MATERIALIZED (
        SELECT e.chunk, e.range_start, e.range_end
        FROM internal.find_expired_ranges(p_policy) AS e
    ),
    noted AS MATERIALIZED (
        SELECT
            a.range_start,
            a.range_end,
            sum(a.row_count) AS row_count,
            max(a.archived_at) AS archived_at
        FROM monitoring.archives AS a
        WHERE a.relation = (p_policy).relation AND a.dropped_at IS NULL
        GROUP BY a.range_start, a.range_end
    ),
    -- of a chunk what lies in it; of a plain table all that there is
    known AS MATERIALIZED (
        SELECT
            e.chunk,
            e.range_start,
            e.range_end,
            max(n.range_end) AS noted_until,
            -- A hold keeps rows for years, and some may come late for a time that is archived.
            -- They are counted under a hold alone: elsewhere the drop is the next to look.
            CASE
                WHEN (p_policy).legal_hold AND count(n.range_start) > 0
                    AND sum(n.row_count) <> internal.count_step(
                        p_policy, 'archive', e.range_start,
                        CASE WHEN e.chunk IS NULL THEN max(n.range_end) ELSE e.range_end END
                    )
                    THEN max(n.archived_at)
            END AS late_since
        FROM expired AS e
        LEFT JOIN noted AS n
            ON n.range_end <= e.range_end
                AND (n.range_start >= e.range_start OR e.chunk IS NULL)
        GROUP BY e.chunk, e.range_start, e.range_end
    )
    -- a chunk that is archived in part is looked at, and kept
    SELECT
        CASE WHEN k.noted_until IS NULL OR k.late_since IS NOT NULL THEN 'archive' ELSE 'drop' END,
        k.range_start,
        k.range_end,
        coalesce(k.late_since, k.range_end + (p_policy).keep_full),
        k.chunk
    FROM known AS k
    WHERE k.chunk IS NOT NULL
    UNION ALL
    SELECT 'drop', n.range_start, n.range_end, n.range_end + (p_policy).keep_full, NULL
    FROM known AS k
    INNER JOIN noted AS n ON n.range_end <= k.range_end
    WHERE k.chunk IS NULL
    UNION ALL
    SELECT 'archive', k.range_start, k.noted_until, k.late_since, NULL
    FROM known AS k
    WHERE k.chunk IS NULL AND k.late_since IS NOT NULL
    UNION ALL
    SELECT
        'archive', greatest(k.range_start, k.noted_until), k.range_end,
        greatest(k.range_start, k.noted_until, k.range_end - interval '1 month')
        + (p_policy).keep_full,
        NULL
    FROM known AS k
    WHERE k.chunk IS NULL AND coalesce(k.noted_until < k.range_end, TRUE)
$$;
COMMENT ON FUNCTION internal.find_archived_steps(monitoring.lifecycle) IS
'Chunks and units that are old enough to leave: archive where no file of theirs is noted yet, or
where a hold keeps rows that lie in none, drop where one is.';
REVOKE ALL ON FUNCTION internal.find_archived_steps(monitoring.lifecycle) FROM public;

CREATE OR REPLACE FUNCTION internal.find_deleting_steps(p_policy monitoring.lifecycle)
RETURNS TABLE (
    step text,
    range_start timestamptz,
    range_end timestamptz,
    due_since timestamptz,
    chunk regclass
)
LANGUAGE plpgsql
STABLE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
    v_first timestamptz;
BEGIN
    IF EXISTS (
        SELECT FROM timescaledb_information.hypertables AS h
        WHERE format('%I.%I', h.hypertable_schema, h.hypertable_name)::regclass
            = to_regclass((p_policy).relation)
    ) THEN
        RETURN QUERY SELECT
            'delete', e.range_start, e.range_end, e.range_end + (p_policy).keep_full, e.chunk
        FROM internal.find_expired_ranges(p_policy) AS e;
        RETURN;
    END IF;
    EXECUTE format(
        'SELECT min(r.%I) FROM %s AS r', (p_policy).time_column, (p_policy).relation::regclass
    ) INTO v_first;
    IF v_first < now() - (p_policy).keep_full THEN
        RETURN QUERY SELECT
            'delete', v_first, now() - (p_policy).keep_full, v_first + (p_policy).keep_full,
            NULL::regclass;
    END IF;
END
$$;
COMMENT ON FUNCTION internal.find_deleting_steps(monitoring.lifecycle) IS
'The rows of a small table that are old enough to be deleted, as one range; of a hypertable its
chunks.';
REVOKE ALL ON FUNCTION internal.find_deleting_steps(monitoring.lifecycle) FROM public;

-- A policy whose table is not there (it was taken away by hand) has no step.
CREATE OR REPLACE FUNCTION monitoring.lifecycle_steps()
RETURNS TABLE (
    relation text,
    step text,
    range_start timestamptz,
    range_end timestamptz,
    due_since timestamptz,
    chunk regclass
)
LANGUAGE sql
STABLE
PARALLEL UNSAFE
SECURITY DEFINER -- rubi_monitor reads no rows of users
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        l.relation,
        s.step,
        s.range_start,
        s.range_end,
        -- nothing was due before there was a policy
        greatest(s.due_since, l.began_at),
        s.chunk
    FROM monitoring.lifecycle AS l
    CROSS JOIN LATERAL (
        SELECT t.step, t.range_start, t.range_end, t.due_since, NULL::regclass AS chunk
        FROM internal.find_thinning_steps(l) AS t
        WHERE l.way = 'thinned' AND NOT l.legal_hold
        UNION ALL
        SELECT a.step, a.range_start, a.range_end, a.due_since, a.chunk
        FROM internal.find_archived_steps(l) AS a
        WHERE l.way = 'archived' AND (a.step = 'archive' OR NOT l.legal_hold)
        UNION ALL
        SELECT d.step, d.range_start, d.range_end, d.due_since, d.chunk
        FROM internal.find_deleting_steps(l) AS d
        WHERE l.way = 'deleted' AND NOT l.legal_hold
    ) AS s
    WHERE l.way IN ('thinned', 'archived', 'deleted') AND to_regclass(l.relation) IS NOT NULL
    ORDER BY 5, 1, 3
$$;
COMMENT ON FUNCTION monitoring.lifecycle_steps() IS
'What is due by monitoring.lifecycle, the longest overdue first: thin, compact, drop and delete,
which follow_lifecycle() does, and archive, which scripts/archive.py write does.';
REVOKE ALL ON FUNCTION monitoring.lifecycle_steps() FROM public;

-- The size of a chunk to be dropped is known; that of rows is their share of the table, as VACUUM
-- and ANALYZE last counted the table's rows.
CREATE OR REPLACE FUNCTION monitoring.plan_lifecycle()
RETURNS TABLE (
    relation text,
    step text,
    held boolean,
    parts bigint,
    range_start timestamptz,
    range_end timestamptz,
    row_count numeric,
    bytes numeric
)
LANGUAGE sql
STABLE
PARALLEL UNSAFE
SECURITY DEFINER -- as lifecycle_steps()
SET search_path = pg_catalog, pg_temp
AS $$
    WITH counted AS MATERIALIZED (
        SELECT
            s.relation,
            s.step,
            l.legal_hold,
            s.range_start,
            s.range_end,
            internal.count_step(l, s.step, s.range_start, s.range_end) AS row_count,
            CASE WHEN s.step <> 'compact' THEN pg_total_relation_size(s.chunk) END AS bytes
        FROM monitoring.lifecycle_steps() AS s
        INNER JOIN monitoring.lifecycle AS l ON s.relation = l.relation
    ),
    rows AS (
        SELECT
            l.relation,
            (
                SELECT
                    sum(pg_total_relation_size(c.oid))
                    / nullif(sum(greatest(c.reltuples, 0)), 0)::numeric
                FROM pg_class AS c
                WHERE c.oid = to_regclass(l.relation)
                    OR c.oid IN (
                        SELECT i.inhrelid FROM pg_inherits AS i
                        WHERE i.inhparent = to_regclass(l.relation)
                    )
            ) AS bytes
        FROM monitoring.lifecycle AS l
        WHERE l.relation IN (SELECT c.relation FROM counted AS c)
    )
    SELECT
        c.relation,
        c.step,
        c.legal_hold,
        count(*),
        min(c.range_start),
        max(c.range_end),
        sum(c.row_count),
        round(sum(coalesce(c.bytes, c.row_count * r.bytes)))
    FROM counted AS c
    INNER JOIN rows AS r ON c.relation = r.relation
    GROUP BY c.relation, c.step, c.legal_hold
    ORDER BY c.relation, c.step
$$;
COMMENT ON FUNCTION monitoring.plan_lifecycle() IS
'The dry run: what scripts/archive.py write and then follow_lifecycle() would do now, by table and
step: how many days, chunks or units, which time, how many rows, and about how many bytes (NULL
while PostgreSQL does not know the size of a row).';
REVOKE ALL ON FUNCTION monitoring.plan_lifecycle() FROM public;
