-- 2911_stage_rows.sql: the staging table of rows that move in, and which of them are left out.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION migration.stage_rows(p_table regclass, p_columns text[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- types without the rules of their domains: the rules speak when the rows go in
    v_columns text := (
        SELECT string_agg(
            format(
                '%I %s', a.attname,
                format_type(
                    coalesce(nullif(t.typbasetype, 0), t.oid),
                    CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE a.atttypmod END
                )
            ), ', '
        )
        FROM pg_attribute AS a
        INNER JOIN pg_type AS t ON a.atttypid = t.oid
        WHERE a.attrelid = p_table AND a.attname = ANY (p_columns)
    );
BEGIN
    DROP TABLE IF EXISTS pg_temp.staged;
    EXECUTE format(
        'CREATE TEMPORARY TABLE staged (n bigint, source_row bigint, %s)', v_columns
    );
    CREATE UNIQUE INDEX staged_n ON pg_temp.staged (n);
END
$$;
COMMENT ON FUNCTION migration.stage_rows(regclass, text[]) IS
'Makes an empty pg_temp.staged for insert_staged: n, source_row and these columns of the table. For
the scripts that move data in.';
REVOKE ALL ON FUNCTION migration.stage_rows(regclass, text[]) FROM public;

CREATE OR REPLACE FUNCTION migration.leave_moved_rows(
    p_table regclass, p_key text[], p_known bigint, p_rejected bigint[]
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_same text := (
        SELECT string_agg(format('t.%1$I = s.%1$I', k.name), ' AND ')
        FROM unnest(p_key) AS k (name)
    );
    v_gone bigint;
BEGIN
    EXECUTE
        'DELETE FROM pg_temp.staged AS s WHERE s.source_row <= $1 AND s.source_row <> ALL ($2)'
        -- without a key nothing names a row: an earlier run moved it, that has to do
        || coalesce(format(' AND EXISTS (SELECT FROM %s AS t WHERE %s)', p_table, v_same), '')
    USING p_known, p_rejected;
    GET DIAGNOSTICS v_gone = ROW_COUNT;
    RETURN v_gone;
END
$$;
COMMENT ON FUNCTION migration.leave_moved_rows(regclass, text[], bigint, bigint[]) IS
'Takes out of pg_temp.staged the rows that an earlier run read (up to source row p_known), did not
reject, and that are here by their key; answers how many. For the scripts that move data in.';
REVOKE ALL ON FUNCTION migration.leave_moved_rows(regclass, text[], bigint, bigint[]) FROM public;

CREATE OR REPLACE FUNCTION migration.leave_orphans(
    p_source text, p_table text, p_column text, p_parent text, p_rule text
)
RETURNS TABLE (source_row bigint, rule text, detail text)
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'WITH gone AS ('
        'DELETE FROM pg_temp.staged AS s WHERE EXISTS ('
        'SELECT FROM migration.rejects AS r WHERE r.source = $1 AND r.table_name = $2'
        ' AND r.key = s.%I::text) RETURNING s.source_row)'
        ' SELECT g.source_row, $3, $4 FROM gone AS g ORDER BY 1',
        p_column
    )
    USING
        p_source, p_parent, format('%s_%s', p_table, p_rule),
        format('its row of %s was rejected', p_parent);
END
$$;
COMMENT ON FUNCTION migration.leave_orphans(text, text, text, text, text) IS
'Takes out of pg_temp.staged the rows whose p_column names a rejected row of p_parent, even where
somebody else''s row has its number here; answers them with the rule TABLE_RULE. For the scripts
that move data in.';
REVOKE ALL ON FUNCTION migration.leave_orphans(text, text, text, text, text) FROM public;
