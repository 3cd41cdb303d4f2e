-- 4170_account_snapshots.sql: the triggers of snapshots, in the order in which they fire.

CALL deploy.become_owner();

-- Only missing triggers are made: a hypertable's triggers lie on each of its chunks, and
-- TimescaleDB 2.11 replaces none.
DO $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_catalog.pg_trigger AS t
        WHERE t.tgrelid = 'public.account_snapshots'::regclass
            AND t.tgname = 'account_snapshots_01_tenant_session'
    ) THEN
        CREATE TRIGGER account_snapshots_01_tenant_session
        BEFORE INSERT ON public.account_snapshots
        FOR EACH ROW EXECUTE FUNCTION internal.check_session_of_snapshot();
    END IF;
    IF NOT EXISTS (
        SELECT FROM pg_catalog.pg_trigger AS t
        WHERE t.tgrelid = 'public.account_snapshots'::regclass
            AND t.tgname = 'account_snapshots_05_chunk_rows'
    ) THEN
        CREATE TRIGGER account_snapshots_05_chunk_rows
        BEFORE INSERT ON public.account_snapshots
        FOR EACH ROW EXECUTE FUNCTION internal.leave_chunk_row_out();
    END IF;
END
$$;

SELECT internal.fence_snapshots(now(), now() + interval '14 days');
