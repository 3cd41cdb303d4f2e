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
    WITH counters AS (
        SELECT
            a.key,
            a.value::numeric AS after,
            coalesce((p_before -> a.key)::numeric, 0) AS before
        FROM jsonb_each(p_after) AS a
        WHERE jsonb_typeof(a.value) = 'number'
    ),

    changes AS (
        SELECT
            c.key,
            trim_scale(round(
                c.after - CASE WHEN bool_or(c.after < c.before) OVER () THEN 0 ELSE c.before END, 1
            )) AS change
        FROM counters AS c
    )

    SELECT coalesce(jsonb_object_agg(c.key, c.change), '{}')
    FROM changes AS c
    WHERE c.change <> 0
$$;
COMMENT ON FUNCTION monitoring.counters_between(jsonb, jsonb) IS
'Counters that rose from one reading to the next, and by how much.';
REVOKE ALL ON FUNCTION monitoring.counters_between(jsonb, jsonb) FROM public;

-- Columns come and go between major versions: rows are read as documents. pg_stat_io is there from
-- 16 on, pg_stat_statements only where it is preloaded; texts are read for new statements alone.
CREATE OR REPLACE FUNCTION monitoring.read_counters(p_kind text)
RETURNS TABLE (subject text, counters jsonb)
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_schema name := (
        SELECT n.nspname
        FROM pg_extension AS e
        INNER JOIN pg_namespace AS n ON e.extnamespace = n.oid
        WHERE e.extname = 'pg_stat_statements'
    );
BEGIN
    IF p_kind = 'server' THEN
        RETURN QUERY
        SELECT '', (to_jsonb(d) - '{datid,numbackends}'::text[]) || to_jsonb(a)
            || to_jsonb(c) || to_jsonb(w)
        FROM pg_stat_database AS d, pg_stat_archiver AS a, monitoring.read_checkpoints() AS c,
            pg_stat_wal AS w
        WHERE d.datname = current_database();
    ELSIF p_kind = 'table' THEN
        RETURN QUERY
        SELECT
            format('%s.%s', t.schemaname, t.relname),
            jsonb_build_object(
                'seq_scan', t.seq_scan, 'seq_tup_read', t.seq_tup_read, 'idx_scan', t.idx_scan,
                'n_tup_ins', t.n_tup_ins, 'n_tup_upd', t.n_tup_upd, 'n_tup_del', t.n_tup_del,
                'n_tup_hot_upd', t.n_tup_hot_upd, 'autovacuum_count', t.autovacuum_count,
                'autoanalyze_count', t.autoanalyze_count
            )
        FROM pg_stat_user_tables AS t
        WHERE t.seq_tup_read + t.n_tup_ins + t.n_tup_upd + t.n_tup_del >= 1000;
    ELSIF p_kind = 'io' AND to_regclass('pg_catalog.pg_stat_io') IS NOT NULL THEN
        RETURN QUERY EXECUTE
            'SELECT format(''%s, %s, %s'', i.backend_type, i.object, i.context),'
            ' jsonb_strip_nulls(to_jsonb(i)) - ''op_bytes'' FROM pg_catalog.pg_stat_io AS i';
    ELSIF p_kind = 'statement' AND v_schema IS NOT NULL THEN
        RETURN QUERY EXECUTE format(
            'SELECT s.queryid::text, jsonb_build_object('
            '''calls'', sum(s.calls), ''ms'', sum(s.total_exec_time), ''rows'', sum(s.rows),'
            '''blocks_read'', sum(s.shared_blks_read), ''temp_blocks'', sum(s.temp_blks_written),'
            '''wal_bytes'', sum(s.wal_bytes)) FROM %I.pg_stat_statements(FALSE) AS s'
            ' WHERE s.dbid = (SELECT d.oid FROM pg_database AS d'
            ' WHERE d.datname = current_database()) AND s.queryid IS NOT NULL'
            ' GROUP BY 1 ORDER BY sum(s.total_exec_time) DESC LIMIT 200', v_schema
        );
    END IF;
EXCEPTION
    WHEN object_not_in_prerequisite_state OR insufficient_privilege THEN
        RETURN; -- not preloaded, or out of sight: monitoring.blind_spots says so
END
$$;
COMMENT ON FUNCTION monitoring.read_counters(text) IS
'Counters of a kind, server, table, io or statement, by subject, since their last reset.';
REVOKE ALL ON FUNCTION monitoring.read_counters(text) FROM public;

-- The 50 largest differences of a kind are kept; a kind's first reading has none.
CREATE OR REPLACE FUNCTION monitoring.take_counters(p_kind text)
RETURNS integer
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_before timestamptz := (
        SELECT max(r.taken_at) FROM monitoring.counter_readings AS r WHERE r.kind = p_kind
    );
    v_count integer;
BEGIN
    WITH readings AS MATERIALIZED (
        SELECT
            c.subject,
            c.counters
        FROM monitoring.read_counters(p_kind) AS c
    ),

    differences AS MATERIALIZED (
        SELECT
            c.subject,
            coalesce(r.taken_at, v_before) AS began_at,
            monitoring.counters_between(r.counters, c.counters) AS counters
        FROM readings AS c
        LEFT JOIN monitoring.counter_readings AS r ON r.kind = p_kind AND r.subject = c.subject
        WHERE v_before IS NOT NULL AND r.counters IS DISTINCT FROM c.counters
    ),

    largest AS MATERIALIZED (
        SELECT
            d.subject,
            d.began_at,
            k.figure,
            d.counters
        FROM differences AS d
        CROSS JOIN LATERAL (
            SELECT sum(e.value::numeric) AS figure
            FROM jsonb_each(d.counters) AS e
            WHERE e.key IN (
                'seq_tup_read', 'n_tup_ins', 'n_tup_upd', 'n_tup_del', 'ms', 'reads', 'writes',
                'extends'
            )
        ) AS k
        WHERE d.counters <> '{}'
        ORDER BY k.figure DESC NULLS LAST
        LIMIT 50
    ),

    kept AS (
        INSERT INTO monitoring.counter_readings AS r (kind, subject, taken_at, counters)
        SELECT p_kind, c.subject, v_now, c.counters
        FROM readings AS c
        ON CONFLICT (kind, subject) DO UPDATE
            SET taken_at = excluded.taken_at, counters = excluded.counters
    )

    SELECT count(monitoring.write_fact(p_kind, l.subject, l.began_at, v_now, l.figure, l.counters))
    INTO v_count
    FROM largest AS l;
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION monitoring.take_counters(text) IS
'Stores how much the counters of a kind rose since their last reading, the 50 largest differences;
answers their number.';
REVOKE ALL ON FUNCTION monitoring.take_counters(text) FROM public;

CREATE OR REPLACE FUNCTION monitoring.take_statement_texts()
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_schema name := (
        SELECT n.nspname
        FROM pg_extension AS e
        INNER JOIN pg_namespace AS n ON e.extnamespace = n.oid
        WHERE e.extname = 'pg_stat_statements'
    );
BEGIN
    IF NOT EXISTS (
        SELECT FROM monitoring.facts AS f
        WHERE f.kind = 'statement' AND NOT EXISTS (
            SELECT FROM monitoring.sampled_statements AS t
            WHERE t.statement_id::text = f.subject
        )
    ) THEN
        RETURN;
    END IF;
    EXECUTE format(
        'INSERT INTO monitoring.sampled_statements (statement_id, body)'
        ' SELECT DISTINCT ON (s.queryid) s.queryid, monitoring.plain_statement(s.query)'
        ' FROM %I.pg_stat_statements AS s INNER JOIN monitoring.facts AS f'
        ' ON f.kind = ''statement'' AND f.subject = s.queryid::text'
        ' ON CONFLICT (statement_id) DO NOTHING', v_schema
    );
END
$$;
COMMENT ON FUNCTION monitoring.take_statement_texts() IS
'Stores the texts of statements whose counters are stored, from pg_stat_statements.';
REVOKE ALL ON FUNCTION monitoring.take_statement_texts() FROM public;
