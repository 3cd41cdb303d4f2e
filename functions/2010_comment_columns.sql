-- 2010_comment_columns.sql: comments of columns that several views share.

CALL deploy.become_owner();

CREATE OR REPLACE PROCEDURE deploy.comment_columns(p_relations regclass[], p_meanings jsonb)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_statement text;
BEGIN
    FOR v_statement IN
        SELECT format('COMMENT ON COLUMN %s.%I IS %L', r.relation, m.key, m.value)
        FROM unnest(p_relations) AS r (relation)
        CROSS JOIN jsonb_each_text(p_meanings) AS m
    LOOP
        EXECUTE v_statement;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE deploy.comment_columns (_regclass, jsonb) IS
'Comments columns that several relations share: an object of column names and their meanings.';
REVOKE ALL ON PROCEDURE deploy.comment_columns(regclass[], jsonb) FROM public;
