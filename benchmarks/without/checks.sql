-- checks.sql: the schema without CHECK constraints, of tables and of domains.
-- transaction: yes
DO $$
DECLARE
    v_check record;
BEGIN
    FOR v_check IN
        SELECT
            CASE
                WHEN c.contypid <> 0 THEN format('DOMAIN %s', c.contypid::regtype)
                ELSE format('TABLE %s', c.conrelid::regclass)
            END AS holder,
            c.conname
        FROM pg_constraint AS c
        WHERE c.contype = 'c'
            AND c.connamespace IN ('public'::regnamespace, 'audit'::regnamespace)
    LOOP
        EXECUTE format('ALTER %s DROP CONSTRAINT %I', v_check.holder, v_check.conname);
    END LOOP;
END
$$;
