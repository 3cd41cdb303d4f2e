-- 2754_shrink_tables.sql: small tables that an old snapshot made large become small again.

CALL deploy.become_owner();

-- No dead row can go while a snapshot is open: positions, updated 500 times a second, took 165
-- times their pages in half an hour. VACUUM then gives no page back, since rows that live lie in
-- the last ones, and each scan reads all of them for good. CLUSTER writes the rows to new pages and
-- locks the table meanwhile, so only tables are written whose rows are few; what comes meanwhile
-- waits for that lock 200 ms at most, and then for the writing. Rows that are dead but may still be
-- seen would be written, too: such a table is left until VACUUM has had them.
CREATE OR REPLACE PROCEDURE public.shrink_tables(
    p_least_bytes bigint DEFAULT 8388608,
    p_most_needed bigint DEFAULT 16777216
)
LANGUAGE plpgsql
AS $$
DECLARE
    c_times CONSTANT integer := 4;
    v_table record;
BEGIN
    FOR v_table IN
        SELECT
            b.relation::pg_catalog.regclass AS name,
            (
                SELECT k.relname
                FROM pg_catalog.pg_index AS i
                INNER JOIN pg_catalog.pg_class AS k ON i.indexrelid = k.oid
                WHERE i.indrelid = b.relation AND i.indisprimary
            ) AS key
        FROM monitoring.estimate_bloat() AS b
        INNER JOIN pg_catalog.pg_class AS c ON b.relation = c.oid
        INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
        WHERE n.nspname IN ('public', 'internal')
            AND c.relkind = 'r'
            AND b.page_bytes >= p_least_bytes
            AND b.page_bytes >= c_times * b.needed_bytes
            AND b.needed_bytes <= p_most_needed
            AND pg_catalog.pg_stat_get_dead_tuples(c.oid) <= c.reltuples
        ORDER BY b.page_bytes DESC
    LOOP
        CONTINUE WHEN v_table.key IS NULL;
        BEGIN
            SET LOCAL lock_timeout = '200ms';
            EXECUTE pg_catalog.format('CLUSTER %s USING %I', v_table.name, v_table.key);
            -- the mark that CLUSTER leaves would be a difference to what the files make
            EXECUTE pg_catalog.format('ALTER TABLE %s SET WITHOUT CLUSTER', v_table.name);
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            RAISE NOTICE '% is in use, left for the next call', v_table.name;
        END;
        COMMIT;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE public.shrink_tables (bigint, bigint) IS
'Writes tables again, in the order of their key, that take p_least_bytes and four times what their
rows need, where these need p_most_needed at most and no dead row is waiting. Each is locked
meanwhile, and left to the next call where the lock is not had in 200 ms. Commits after each, so
call it outside a transaction, as the owner.';
REVOKE ALL ON PROCEDURE public.shrink_tables(bigint, bigint) FROM public;
