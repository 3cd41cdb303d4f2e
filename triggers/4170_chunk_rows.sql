-- 4170_chunk_rows.sql: rows that only make a chunk of account_snapshots are left out.
-- needs: functions/2170_fence_snapshots.sql
-- transaction: yes

CALL deploy.become_owner();

-- Makes chunks possible where there is no session yet, and without a row that replicas would see.
-- A function without WHEN: PostgreSQL reads the text of a WHEN anew for each statement.
CREATE OR REPLACE FUNCTION internal.leave_chunk_row_out()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
AS $$
BEGIN
    IF NEW.id = -9223372036854775808 THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION internal.leave_chunk_row_out() IS
'Trigger: a snapshot with the least id makes its chunk and is not stored.';
REVOKE ALL ON FUNCTION internal.leave_chunk_row_out() FROM public;

-- Only where it is missing: a hypertable's triggers are made on each of its chunks.
DO $$
BEGIN
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
