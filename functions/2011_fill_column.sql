-- 2011_fill_column.sql: a new column of a live table gets its values, a few pages a transaction.

CALL deploy.become_owner();

-- Rows that somebody holds are left for the next walk: a batch that waits for nobody is in no
-- deadlock. Partitions and chunks are walked one by one; pages, since not every table has a number
-- as its key, and a row that moves to another page is written by a session whose trigger fills it.
-- No SET clause, with which a procedure may not COMMIT: the expression is the caller's, read with
-- the caller's search path.
CREATE OR REPLACE PROCEDURE deploy.fill_column(
    p_table regclass,
    p_column name,
    p_value text,
    p_pages integer DEFAULT 200
)
LANGUAGE plpgsql
AS $$
DECLARE
    v_most_walks CONSTANT integer := 20;
    v_part regclass;
    v_page bigint;
    v_filled bigint;
    v_rows bigint := 0;
    v_left boolean := TRUE;
BEGIN
    FOR v_walk IN 1..v_most_walks LOOP
        FOR v_part IN
            SELECT p_table
            UNION ALL
            SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = p_table
        LOOP
            v_page := 0;
            WHILE v_page < pg_catalog.pg_relation_size(v_part)
                / pg_catalog.current_setting('block_size')::bigint LOOP
                EXECUTE pg_catalog.format(
                    'UPDATE ONLY %1$s AS r SET %2$I = %3$s WHERE r.ctid = ANY (ARRAY('
                    'SELECT o.ctid FROM ONLY %1$s AS o WHERE o.ctid >= $1 AND o.ctid < $2'
                    ' AND o.%2$I IS DISTINCT FROM (%3$s) FOR NO KEY UPDATE SKIP LOCKED))',
                    v_part, p_column, p_value
                ) USING pg_catalog.format('(%s,0)', v_page)::tid,
                    pg_catalog.format('(%s,0)', v_page + p_pages)::tid;
                GET DIAGNOSTICS v_filled = ROW_COUNT;
                v_rows := v_rows + v_filled;
                v_page := v_page + p_pages;
                COMMIT;
            END LOOP;
        END LOOP;
        EXECUTE pg_catalog.format(
            'SELECT EXISTS (SELECT FROM %s WHERE %I IS DISTINCT FROM (%s))',
            p_table, p_column, p_value
        ) INTO v_left;
        EXIT WHEN NOT v_left;
        PERFORM pg_catalog.pg_sleep(0.5);
    END LOOP;
    IF v_left THEN
        RAISE EXCEPTION '% has rows without %: another transaction holds them, or their chunk is '
            'compressed', p_table, p_column
            USING ERRCODE = 'object_in_use',
                HINT = 'Call deploy.fill_column again when that has ended.';
    END IF;
    RAISE NOTICE '% rows of % filled', v_rows, p_table;
END
$$;
COMMENT ON PROCEDURE deploy.fill_column (regclass, name, text, integer) IS
'Gives a column of each row the value of an expression over the row''s other columns, p_pages pages
of the table a transaction; rows that have the value are left alone, so a call that was stopped is
called again. Triggers of the table fire. Call it outside a transaction, as the owner. 55006 when
rows stay without the value.';
REVOKE ALL ON PROCEDURE deploy.fill_column(regclass, name, text, integer) FROM public;
