-- 1170_account_snapshots.sql: index of account_snapshots.

CALL deploy.become_owner();

CREATE INDEX IF NOT EXISTS idx_snapshots_timestamp ON public.account_snapshots (timestamp);
COMMENT ON INDEX public.idx_snapshots_timestamp IS
'Latest snapshots over all sessions; the key serves the snapshots of one session.';
