-- ownership.sql: the schema without keeping users apart: plain foreign keys instead of those that
-- hold the owner, no unique keys for them to point at, no row security, no triggers for tenants.
-- transaction: yes
DROP TRIGGER trading_orders_01_tenant_parents ON public.trading_orders;
DROP TRIGGER account_snapshots_01_tenant_session ON public.account_snapshots;

DO $$
DECLARE
    v_table regclass;
BEGIN
    FOR v_table IN
        SELECT c.oid FROM pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relrowsecurity
    LOOP
        EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', v_table);
    END LOOP;
END
$$;

DO $$
DECLARE
    v_key record;
BEGIN
    FOR v_key IN
        SELECT
            c.conrelid::regclass AS child,
            c.confrelid::regclass AS parent,
            c.conname,
            a.attname,
            CASE c.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'NO ACTION' END
                AS action
        FROM pg_constraint AS c
        INNER JOIN pg_attribute AS a ON c.conrelid = a.attrelid AND c.conkey[1] = a.attnum
        WHERE c.connamespace = 'public'::regnamespace
            AND c.contype = 'f'
            AND c.conname LIKE '%\_id\_user\_id\_fkey'
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', v_key.child, v_key.conname);
        EXECUTE format(
            'ALTER TABLE %s ADD FOREIGN KEY (%I) REFERENCES %s (id) ON DELETE %s',
            v_key.child, v_key.attname, v_key.parent, v_key.action
        );
    END LOOP;
    FOR v_key IN
        SELECT c.conrelid::regclass AS parent, c.conname
        FROM pg_constraint AS c
        WHERE c.connamespace = 'public'::regnamespace
            AND c.contype = 'u'
            AND c.conname LIKE '%\_id\_user\_id\_key'
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', v_key.parent, v_key.conname);
    END LOOP;
END
$$;
