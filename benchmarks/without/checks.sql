-- checks.sql: the schema without CHECK constraints.
-- transaction: yes
DO $$
DECLARE
    v_check record;
BEGIN
    FOR v_check IN
        SELECT c.conrelid::regclass AS table_name, c.conname
        FROM pg_constraint AS c
        WHERE c.contype = 'c'
            AND c.connamespace IN ('public'::regnamespace, 'audit'::regnamespace)
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', v_check.table_name, v_check.conname);
    END LOOP;
END
$$;
