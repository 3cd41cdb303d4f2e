-- 2751_archived_rows.sql: rows that are old enough to be archived, and rows that a proved archive
-- lets go.

CALL deploy.become_owner();

-- A row's text does not depend on who asks: the settings that shape it are pinned.
CREATE OR REPLACE FUNCTION internal.measure_rows(
    p_relation regclass,
    p_policy monitoring.lifecycle,
    p_since timestamptz,
    p_until timestamptz,
    p_part text DEFAULT NULL
)
RETURNS TABLE (
    part text,
    range_start timestamptz,
    range_end timestamptz,
    row_count bigint,
    row_hash numeric
)
LANGUAGE plpgsql
STABLE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        $measure$
            SELECT
                t.part,
                greatest(t.unit, $1),
                least(t.unit + interval '1 %1$s', $2),
                count(*),
                coalesce(sum(('x' || left(md5(t.text), 16))::bit(64)::bigint), 0)
            FROM (
                SELECT
                    %2$s AS part,
                    date_trunc(%3$L, r.%4$I, 'UTC') AS unit,
                    r::text AS text
                FROM %5$s AS r
                WHERE r.%4$I >= $1 AND r.%4$I < $2 AND %6$s
            ) AS t
            GROUP BY t.part, t.unit
        $measure$,
        (p_policy).archive_by,
        CASE
            WHEN (p_policy).part_column IS NULL THEN quote_literal('')
            ELSE format('r.%I::text', (p_policy).part_column)
        END,
        (p_policy).archive_by,
        (p_policy).time_column,
        p_relation,
        CASE
            WHEN p_part IS NULL OR (p_policy).part_column IS NULL THEN 'TRUE'
            ELSE format('r.%I = %L', (p_policy).part_column, p_part)
        END
    ) USING p_since, p_until;
END
$$;
COMMENT ON FUNCTION
internal.measure_rows(regclass, monitoring.lifecycle, timestamptz, timestamptz, text) IS
'Count and hash of rows between two moments, by part and by the unit of the policy; of one part
where p_part is given.';
REVOKE ALL ON FUNCTION
internal.measure_rows(regclass, monitoring.lifecycle, timestamptz, timestamptz, text) FROM public;

-- A hypertable loses whole chunks, which costs nothing: its rows wait until the chunk's last are
-- old enough. A plain table loses whole units.
CREATE OR REPLACE FUNCTION internal.find_expired_ranges(p_policy monitoring.lifecycle)
RETURNS TABLE (chunk regclass, range_start timestamptz, range_end timestamptz)
LANGUAGE plpgsql
STABLE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
    v_relation regclass := to_regclass((p_policy).relation);
    v_until timestamptz := date_trunc(
        coalesce((p_policy).archive_by, 'day'), now() - (p_policy).keep_full, 'UTC'
    );
    v_range record;
    v_has_rows boolean;
BEGIN
    FOR v_range IN
        SELECT
            format('%I.%I', c.chunk_schema, c.chunk_name)::regclass AS part,
            c.range_start AS since,
            c.range_end AS until
        FROM timescaledb_information.chunks AS c
        WHERE format('%I.%I', c.hypertable_schema, c.hypertable_name)::regclass = v_relation
            AND c.range_end > '1970-01-02 00:00:00+00'
            AND c.range_end <= v_until
        UNION ALL
        SELECT NULL, '1970-01-01 00:00:00+00', v_until
        WHERE NOT EXISTS (
            SELECT FROM timescaledb_information.hypertables AS h
            WHERE format('%I.%I', h.hypertable_schema, h.hypertable_name)::regclass = v_relation
        )
        ORDER BY 2
    LOOP
        -- through the hypertable: columnstore keeps the rows in another table
        EXECUTE format(
            'SELECT EXISTS (SELECT FROM %s AS r WHERE r.%2$I >= $1 AND r.%2$I < $2)',
            v_relation, (p_policy).time_column
        ) INTO v_has_rows USING v_range.since, v_range.until;
        IF v_has_rows THEN
            chunk := v_range.part;
            range_start := v_range.since;
            range_end := v_range.until;
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION internal.find_expired_ranges(monitoring.lifecycle) IS
'Chunks of a hypertable whose rows may all leave by their age, oldest first; of a plain table one
range without a chunk, when it has such rows.';
REVOKE ALL ON FUNCTION internal.find_expired_ranges(monitoring.lifecycle) FROM public;

CREATE OR REPLACE FUNCTION monitoring.due_archives(p_relation text)
RETURNS TABLE (
    part text,
    range_start timestamptz,
    range_end timestamptz,
    row_count bigint,
    row_hash numeric,
    number integer
)
LANGUAGE sql
STABLE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        m.part, m.range_start, m.range_end, m.row_count, m.row_hash,
        coalesce(
            (
                SELECT max(a.number) + (bool_and(a.dropped_at IS NOT NULL))::integer
                FROM monitoring.archives AS a
                WHERE a.relation = l.relation
                    AND a.part = m.part
                    AND a.range_start = m.range_start
            ), 1
        )
    FROM monitoring.lifecycle AS l
    CROSS JOIN LATERAL internal.find_expired_ranges(l) AS e
    CROSS JOIN LATERAL internal.measure_rows(
        l.relation::regclass, l, e.range_start, e.range_end
    ) AS m
    WHERE l.relation = p_relation
        AND l.way = 'archived'
        -- hashes add up: files that were restored together are compared together
        AND NOT EXISTS (
            SELECT FROM monitoring.archives AS a
            WHERE a.relation = l.relation
                AND a.part = m.part
                AND a.range_start = m.range_start
                AND a.range_end = m.range_end
                AND a.dropped_at IS NULL
            HAVING sum(a.row_count) = m.row_count AND sum(a.row_hash) = m.row_hash
        )
    ORDER BY m.range_start, m.part
$$;
COMMENT ON FUNCTION monitoring.due_archives(text) IS
'What scripts/archive.py is to write of a table: rows that are old enough and lie in no file that
equals them, with the number of the file.';
REVOKE ALL ON FUNCTION monitoring.due_archives(text) FROM public;

-- A chunk goes when each of its rows lies in a file that equals the rows as they are now. Writers
-- of the past wait meanwhile: no row may come in between look and drop.
CREATE OR REPLACE FUNCTION internal.drop_archived_chunk(
    p_policy monitoring.lifecycle,
    p_chunk regclass,
    p_since timestamptz,
    p_until timestamptz
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_relation regclass := (p_policy).relation::regclass;
    v_rows bigint;
    v_open bigint;
BEGIN
    EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', p_chunk);
    WITH measured AS MATERIALIZED (
        SELECT m.part, m.range_start, m.row_count, m.row_hash
        FROM internal.measure_rows(v_relation, p_policy, p_since, p_until) AS m
    ),
    -- of one time there are more files than one after they were restored
    noted AS (
        SELECT a.part, a.range_start, sum(a.row_count) AS row_count, sum(a.row_hash) AS row_hash
        FROM monitoring.archives AS a
        WHERE a.relation = (p_policy).relation AND a.dropped_at IS NULL
        GROUP BY a.part, a.range_start
    ),
    proved AS (
        UPDATE monitoring.archives AS a SET dropped_at = clock_timestamp()
        FROM measured AS m
        INNER JOIN noted AS n
            ON m.part = n.part
                AND m.range_start = n.range_start
                AND m.row_count = n.row_count
                AND m.row_hash = n.row_hash
        WHERE a.relation = (p_policy).relation
            AND a.part = m.part
            AND a.range_start = m.range_start
            AND a.dropped_at IS NULL
        RETURNING a.row_count
    )
    SELECT
        (SELECT coalesce(sum(p.row_count), 0) FROM proved AS p),
        coalesce(sum(m.row_count), 0)
    INTO v_rows, v_open
    FROM measured AS m;
    IF v_rows <> v_open THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB077',
            MESSAGE = format(
                '%s of %s rows of %s from %s lie in no archive that equals them',
                v_open - v_rows, v_open, (p_policy).relation, (p_since AT TIME ZONE 'UTC')::date
            ),
            HINT = 'Run scripts/archive.py write.';
    END IF;
    PERFORM public.drop_chunks(v_relation, older_than => p_until, newer_than => p_since);
    INSERT INTO monitoring.dropped_ranges (relation, range_start, range_end, reason)
    VALUES ((p_policy).relation, p_since, p_until, 'archived');
    RETURN v_rows;
END
$$;
COMMENT ON FUNCTION internal.drop_archived_chunk(
    monitoring.lifecycle, regclass, timestamptz, timestamptz
) IS
'Drops a chunk whose rows all lie in proved archives and notes it; answers the number of rows.
Raises RB077 when others are among them.';
REVOKE ALL ON FUNCTION internal.drop_archived_chunk(
    monitoring.lifecycle, regclass, timestamptz, timestamptz
) FROM public;

CREATE OR REPLACE FUNCTION internal.delete_archived_rows(
    p_policy monitoring.lifecycle,
    p_since timestamptz,
    p_until timestamptz
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
AS $$
DECLARE
    v_gone bigint;
    v_hash numeric;
    v_noted record;
BEGIN
    EXECUTE format(
        'WITH gone AS (DELETE FROM %s AS r WHERE r.%2$I >= $1 AND r.%2$I < $2 RETURNING r::text)'
        ' SELECT count(*), coalesce(sum((''x'' || left(md5(g.r), 16))::bit(64)::bigint), 0)'
        ' FROM gone AS g',
        (p_policy).relation::regclass, (p_policy).time_column
    ) INTO v_gone, v_hash USING p_since, p_until;
    WITH noted AS (
        UPDATE monitoring.archives AS a SET dropped_at = clock_timestamp()
        WHERE a.relation = (p_policy).relation
            AND a.range_start = p_since
            AND a.range_end = p_until
            AND a.dropped_at IS NULL
        RETURNING a.row_count, a.row_hash
    )
    SELECT sum(n.row_count) AS row_count, sum(n.row_hash) AS row_hash INTO v_noted
    FROM noted AS n;
    -- another run was faster, or all rows were erased since: nothing is left to be dropped
    IF v_gone = 0 THEN
        RETURN 0;
    END IF;
    IF v_noted.row_count IS DISTINCT FROM v_gone OR v_noted.row_hash IS DISTINCT FROM v_hash THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB077',
            MESSAGE = format(
                '%s from %s has changed since it was archived',
                (p_policy).relation, (p_since AT TIME ZONE 'UTC')::date
            ),
            HINT = 'Run scripts/archive.py write.';
    END IF;
    RETURN v_gone;
END
$$;
COMMENT ON FUNCTION
internal.delete_archived_rows(monitoring.lifecycle, timestamptz, timestamptz) IS
'Deletes the rows of an archived unit of a plain table, where they equal the archive''s; answers
their number. Raises RB077 otherwise.';
REVOKE ALL ON FUNCTION
internal.delete_archived_rows(monitoring.lifecycle, timestamptz, timestamptz) FROM public;
