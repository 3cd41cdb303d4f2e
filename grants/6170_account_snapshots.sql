-- 6170_account_snapshots.sql: rights on snapshots.

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON public.account_snapshots TO rubi_app;
GRANT SELECT ON public.account_snapshots TO rubi_readonly, rubi_backup;
GRANT USAGE, SELECT ON SEQUENCE public.account_snapshots_id_seq TO rubi_app;
GRANT SELECT ON SEQUENCE public.account_snapshots_id_seq TO rubi_backup;
