-- 2611_set_tenant_policies.sql: a tenant sees and writes the rows of its own user only.

CALL deploy.become_owner();

-- The API becomes a tenant for one transaction:
--     SET LOCAL ROLE rubi_tenant; SET LOCAL app.user_id = '42';
-- Policies bind rubi_tenant. The other roles see all rows that their rights reach; the owner is not
-- bound by row security. Hypertables have no policies: rubi_tenant has no right on them.
CREATE OR REPLACE PROCEDURE deploy.set_tenant_policies(
    p_table text,
    p_column text,
    p_check text DEFAULT 'TRUE'
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_table regclass := p_table::regclass;
    v_name text := (parse_ident(p_table))[2];
    v_own text := CASE p_column
        WHEN 'account_id' THEN
            'account_id IN (SELECT a.id FROM public.mt5_accounts AS a'
            ' WHERE a.user_id = (SELECT public.app_user_id()))'
        WHEN 'session_id' THEN
            'session_id IN (SELECT s.session_id FROM public.mt5_sessions AS s'
            ' WHERE s.user_id = (SELECT public.app_user_id()))'
        ELSE format('%I = (SELECT public.app_user_id())', p_column)
    END;
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', v_table);
    EXECUTE format('DROP POLICY IF EXISTS %I ON %s', v_name || '_tenant', v_table);
    EXECUTE format(
        'CREATE POLICY %I ON %s TO rubi_tenant USING (%s)', v_name || '_tenant', v_table, v_own
    );
    EXECUTE format('DROP POLICY IF EXISTS %I ON %s', v_name || '_others', v_table);
    EXECUTE format(
        'CREATE POLICY %I ON %s TO rubi_app, rubi_ingest, rubi_readonly, rubi_backup'
        ' USING (TRUE) WITH CHECK (%s)', v_name || '_others', v_table, p_check
    );
END
$$;
COMMENT ON PROCEDURE deploy.set_tenant_policies (text, text, text) IS
'Makes the two policies of a table: rubi_tenant sees and writes rows of its own user, found by
p_column (id or user_id of a user, account_id of an account, session_id of a session); the other
roles all rows, where p_check, an expression over a new row, holds.';
REVOKE ALL ON PROCEDURE deploy.set_tenant_policies(text, text, text) FROM public;
