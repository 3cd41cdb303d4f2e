-- 2910_insert_staged.sql: staged rows into their table; each row that breaks a rule is named.

CALL deploy.become_owner();

-- All rows in one statement where none is bad. Otherwise a failing part is halved until single rows
-- are left: a bad row among 20,000 costs some thirty statements, and the order stays, so that the
-- first of two equal rows is the one that comes in.
CREATE OR REPLACE FUNCTION migration.insert_staged(p_table regclass, p_columns text[])
RETURNS TABLE (source_row bigint, rule text, detail text)
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_columns text := (
        SELECT string_agg(quote_ident(c.name), ', ' ORDER BY c.place)
        FROM unnest(p_columns) WITH ORDINALITY AS c (name, place)
    );
    v_insert text := format(
        'INSERT INTO %s (%s) SELECT %s FROM pg_temp.staged AS s WHERE s.n BETWEEN $1 AND $2'
        ' ORDER BY s.n', p_table, v_columns, v_columns
    );
    v_table text := (SELECT c.relname FROM pg_class AS c WHERE c.oid = p_table);
    v_from bigint[];
    v_to bigint[];
    v_low bigint;
    v_high bigint;
    v_state text;
    v_constraint text;
    v_column text;
BEGIN
    SELECT ARRAY[min(s.n)], ARRAY[max(s.n)] INTO v_from, v_to FROM pg_temp.staged AS s;
    WHILE v_from[1] IS NOT NULL LOOP
        v_low := v_from[cardinality(v_from)];
        v_high := v_to[cardinality(v_to)];
        v_from := trim_array(v_from, 1);
        v_to := trim_array(v_to, 1);
        BEGIN
            EXECUTE v_insert USING v_low, v_high;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS
                v_state = RETURNED_SQLSTATE,
                v_constraint = CONSTRAINT_NAME,
                v_column = COLUMN_NAME,
                detail = MESSAGE_TEXT;
            -- data, rules, our own errors and a key too long for its index are a row's fault; a
            -- full disk is not
            IF v_state !~ '^(22|23|44|RB|54000)' THEN
                RAISE;
            END IF;
            IF v_low < v_high THEN
                v_from := v_from || ((v_low + v_high) / 2 + 1) || v_low;
                v_to := v_to || v_high || ((v_low + v_high) / 2);
                CONTINUE;
            END IF;
            SELECT s.source_row INTO source_row FROM pg_temp.staged AS s WHERE s.n = v_low;
            -- chunks of a hypertable put numbers before a constraint's name
            rule := CASE
                WHEN v_state = '54000' THEN format('%s_key_fits', v_table)
                WHEN v_constraint <> '' THEN regexp_replace(v_constraint, '^[0-9]+_([0-9]+_)?', '')
                WHEN v_state = '23502' THEN format('%s_%s_not_null', v_table, v_column)
                ELSE v_state
            END;
            IF FOUND THEN -- a row taken out after staging leaves a gap
                RETURN NEXT;
            END IF;
        END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION migration.insert_staged(regclass, text[]) IS
'Inserts the rows of pg_temp.staged (n, source_row, columns of the table) in the order of n. Answers
the rows that broke a rule, with the name of the constraint, or TABLE_key_fits. For the scripts that
move data in.';
REVOKE ALL ON FUNCTION migration.insert_staged(regclass, text[]) FROM public;
