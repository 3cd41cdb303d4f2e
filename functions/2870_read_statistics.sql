-- 2870_read_statistics.sql: statistics that differ between servers, or may be out of sight.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION monitoring.can_see_all()
RETURNS boolean
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
$$;
COMMENT ON FUNCTION monitoring.can_see_all() IS
'Whether the reader sees the sessions of other roles. Needs pg_monitor or pg_read_all_stats.';
REVOKE ALL ON FUNCTION monitoring.can_see_all() FROM public;

-- The extension may be missing, or created but not preloaded: then a single row has the reason.
CREATE OR REPLACE FUNCTION monitoring.read_statements()
RETURNS TABLE (
    statement_id bigint,
    calls bigint,
    total_ms double precision,
    mean_ms double precision,
    max_ms double precision,
    row_count bigint,
    query text
)
LANGUAGE plpgsql
STABLE
PARALLEL RESTRICTED
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
    IF v_schema IS NULL THEN
        query := 'not visible: CREATE EXTENSION pg_stat_statements';
        RETURN NEXT;
        RETURN;
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT s.queryid, s.calls, s.total_exec_time, s.mean_exec_time, s.max_exec_time, s.rows,
            s.query
        FROM %I.pg_stat_statements AS s
        INNER JOIN pg_catalog.pg_database AS d ON s.dbid = d.oid
        WHERE d.datname = current_database()', v_schema
    );
EXCEPTION
    WHEN object_not_in_prerequisite_state OR insufficient_privilege THEN
        query := format('not visible: %s', SQLERRM);
        RETURN NEXT;
END
$$;
COMMENT ON FUNCTION monitoring.read_statements() IS
'Statements of this database by pg_stat_statements, times in milliseconds. Where they can''t be
seen, a single row whose query is the reason.';
REVOKE ALL ON FUNCTION monitoring.read_statements() FROM public;

-- PostgreSQL 17 moved these figures to a view of their own.
CREATE OR REPLACE FUNCTION monitoring.read_checkpoints()
RETURNS TABLE (
    timed bigint,
    requested bigint,
    write_ms double precision,
    sync_ms double precision,
    buffers_written bigint,
    stats_reset timestamptz
)
LANGUAGE plpgsql
STABLE
PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE CASE
        WHEN to_regclass('pg_catalog.pg_stat_checkpointer') IS NOT NULL THEN
            'SELECT num_timed, num_requested, write_time, sync_time, buffers_written, stats_reset
            FROM pg_catalog.pg_stat_checkpointer'
        ELSE
            'SELECT checkpoints_timed, checkpoints_req, checkpoint_write_time,
                checkpoint_sync_time, buffers_checkpoint, stats_reset
            FROM pg_catalog.pg_stat_bgwriter'
    END;
END
$$;
COMMENT ON FUNCTION monitoring.read_checkpoints() IS
'Checkpoints since the statistics were reset, on every major version. Times in milliseconds.';
REVOKE ALL ON FUNCTION monitoring.read_checkpoints() FROM public;

CREATE OR REPLACE FUNCTION monitoring.read_sequences()
RETURNS TABLE (
    schema_name name,
    sequence_name name,
    last_value bigint,
    end_value bigint
)
LANGUAGE sql
STABLE
PARALLEL RESTRICTED
SECURITY DEFINER -- rubi_monitor has no right to read the sequences of others
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        s.schemaname,
        s.sequencename,
        s.last_value,
        CASE WHEN s.increment_by > 0 THEN s.max_value ELSE s.min_value END
    FROM pg_sequences AS s
    WHERE NOT s.cycle
        AND s.schemaname IN (
            'public', 'monitoring', 'internal', 'audit', 'deploy', 'migration'
        )
$$;
COMMENT ON FUNCTION monitoring.read_sequences() IS
'Sequences that do not begin again, with their latest value and the last one possible.';
REVOKE ALL ON FUNCTION monitoring.read_sequences() FROM public;

-- A row takes its columns, a header of 24 bytes, a pointer of 4, and on average 4 of padding. Pages
-- are those of the last VACUUM or ANALYZE. Indexes are left out: a guess would need their keys.
CREATE OR REPLACE FUNCTION monitoring.estimate_bloat()
RETURNS TABLE (relation oid, row_estimate bigint, page_bytes bigint, needed_bytes bigint)
LANGUAGE sql
STABLE
PARALLEL RESTRICTED
SECURITY DEFINER -- pg_stats shows the columns of tables that the reader may read
SET search_path = pg_catalog, pg_temp
AS $$
    WITH widths AS (
        SELECT
            s.schemaname,
            s.tablename,
            sum((1 - s.null_frac) * s.avg_width)::numeric AS width
        FROM pg_stats AS s
        WHERE NOT s.inherited AND s.schemaname <> 'pg_catalog'
        GROUP BY s.schemaname, s.tablename
    )

    SELECT
        c.oid,
        c.reltuples::bigint,
        c.relpages::bigint * 8192,
        (ceil(
            c.reltuples::numeric * (w.width + 32) / (8168 * coalesce(
                (
                    SELECT o.option_value::numeric
                    FROM pg_options_to_table(c.reloptions) AS o
                    WHERE o.option_name = 'fillfactor'
                ), 100
            ) / 100)
        ) * 8192)::bigint
    FROM widths AS w
    INNER JOIN pg_namespace AS n ON w.schemaname = n.nspname
    INNER JOIN pg_class AS c ON n.oid = c.relnamespace AND w.tablename = c.relname
    WHERE c.relkind IN ('r', 'm') AND c.reltuples >= 0
$$;
COMMENT ON FUNCTION monitoring.estimate_bloat() IS
'Tables with statistics: bytes of their pages, and the need of their rows. An estimate.';
REVOKE ALL ON FUNCTION monitoring.estimate_bloat() FROM public;
