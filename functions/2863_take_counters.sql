-- 2863_take_counters.sql: differences of the server's counters, each minute and hour.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION monitoring.counters_between(p_before jsonb, p_after jsonb)
RETURNS jsonb
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- a counter that fell was reset in between: what it shows has come since
    SELECT coalesce(jsonb_object_agg(c.key, c.rise) FILTER (WHERE c.rise <> 0), '{}')
    FROM (
        SELECT a.key, trim_scale(round(a.value::numeric - CASE
                WHEN bool_or(a.value < p_before -> a.key) OVER () THEN 0
                ELSE coalesce((p_before ->> a.key)::numeric, 0)
            END, 1)) AS rise
        FROM jsonb_each(p_after) AS a
        WHERE jsonb_typeof(a.value) = 'number'
    ) AS c
$$;
COMMENT ON FUNCTION monitoring.counters_between(jsonb, jsonb) IS
'Counters that rose from one reading to the next, and by how much.';
REVOKE ALL ON FUNCTION monitoring.counters_between(jsonb, jsonb) FROM public;

-- Columns come and go between major versions: rows are read as documents.
CREATE OR REPLACE FUNCTION monitoring.take_counters(p_hour boolean)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_io jsonb;
BEGIN
    IF p_hour AND to_regclass('pg_catalog.pg_stat_io') IS NOT NULL THEN -- from 16 on
        EXECUTE 'SELECT jsonb_agg(to_jsonb(i)) FROM pg_catalog.pg_stat_io AS i' INTO v_io;
    END IF;
    WITH counters AS MATERIALIZED (
        -- apart, as they are reset apart
        SELECT 'server' AS kind, '' AS subject,
            to_jsonb(d) - '{datid,numbackends}'::text[] AS counters, '' AS words
        FROM pg_stat_database AS d
        WHERE d.datname = current_database()
        UNION ALL
        SELECT 'server', 'archiver', to_jsonb(a), '' FROM pg_stat_archiver AS a
        UNION ALL
        SELECT 'server', 'checkpoints', to_jsonb(c), '' FROM monitoring.read_checkpoints() AS c
        UNION ALL
        SELECT 'server', 'wal', to_jsonb(w), '' FROM pg_stat_wal AS w
        UNION ALL
        -- the number in a chunk's name rises with each; old versions keep no time of creation
        SELECT 'chunk', format('%s.%s', i.hypertable_schema, i.hypertable_name), jsonb_build_object(
            'newest', max(substring(i.chunk_name FROM '_([0-9]+)_chunk$')::bigint)
        ), ''
        FROM timescaledb_information.chunks AS i
        GROUP BY i.hypertable_schema, i.hypertable_name
        UNION ALL
        SELECT 'table', format('%s.%s', t.schemaname, t.relname), jsonb_build_object(
            'seq_scan', t.seq_scan, 'seq_tup_read', t.seq_tup_read, 'idx_scan', t.idx_scan,
            'n_tup_ins', t.n_tup_ins, 'n_tup_upd', t.n_tup_upd, 'n_tup_del', t.n_tup_del,
            'n_tup_hot_upd', t.n_tup_hot_upd
        ), ''
        FROM pg_stat_user_tables AS t
        WHERE p_hour AND t.seq_tup_read + t.n_tup_ins + t.n_tup_upd + t.n_tup_del >= 1000
        UNION ALL
        (
            SELECT 'statement', s.statement_id::text, jsonb_build_object(
                'calls', sum(s.calls), 'ms', sum(s.total_ms), 'rows', sum(s.row_count)
            ), monitoring.plain_statement(min(s.query))
            FROM monitoring.read_statements() AS s
            WHERE p_hour AND s.statement_id IS NOT NULL
            GROUP BY s.statement_id
            ORDER BY sum(s.total_ms) DESC
            LIMIT 200
        )
        UNION ALL
        SELECT 'io', concat_ws(', ', e.i ->> 'backend_type', e.i ->> 'object', e.i ->> 'context'),
            e.i - 'op_bytes', ''
        FROM jsonb_array_elements(v_io) AS e (i)
    ),

    readings AS MATERIALIZED (
        SELECT c.kind, c.subject, c.words, c.counters, r.counters AS before,
            -- a kind's first reading has no difference
            coalesce(r.taken_at, max(r.taken_at) OVER (
                PARTITION BY CASE c.kind WHEN 'chunk' THEN 'server' ELSE c.kind END
            )) AS began_at
        FROM counters AS c
        LEFT JOIN monitoring.counter_readings AS r ON c.kind = r.kind AND c.subject = r.subject
    ),

    kept AS (
        INSERT INTO monitoring.counter_readings AS r (kind, subject, taken_at, counters)
        SELECT n.kind, n.subject, v_now, n.counters
        FROM readings AS n
        ON CONFLICT (kind, subject) DO UPDATE
            SET taken_at = excluded.taken_at, counters = excluded.counters
    ),

    changes AS (
        -- a reading may be of before the clock was set back
        SELECT n.kind, n.subject, least(n.began_at, v_now) AS began_at, n.words, c.figures,
            row_number() OVER (PARTITION BY n.kind ORDER BY coalesce(
                (c.figures ->> 'ms')::numeric,
                (SELECT sum(e.value::numeric) FROM jsonb_each(c.figures) AS e)
            ) DESC) AS place
        FROM readings AS n
        CROSS JOIN LATERAL monitoring.counters_between(n.before, n.counters) AS c (figures)
        WHERE n.began_at IS NOT NULL AND c.figures <> '{}'
            -- the newest chunk was dropped
            AND (n.before -> 'newest' > n.counters -> 'newest') IS NOT TRUE
    )

    INSERT INTO monitoring.facts (kind, subject, began_at, seen_at, words, figures)
    SELECT c.kind, c.subject, c.began_at, v_now, c.words, c.figures
    FROM changes AS c
    WHERE c.place <= 50
    ON CONFLICT (kind, subject, began_at, slot) DO NOTHING;
END
$$;
COMMENT ON FUNCTION monitoring.take_counters(boolean) IS
'Stores how much counters rose since their last reading, the 50 largest differences of a kind: of
the server, of the chunks of each hypertable; with p_hour of tables, statements and I/O, too.';
REVOKE ALL ON FUNCTION monitoring.take_counters(boolean) FROM public;
