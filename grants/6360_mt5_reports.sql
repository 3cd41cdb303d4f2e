-- 6360_mt5_reports.sql: rights on MT5 reports.

CALL deploy.become_owner();

REVOKE INSERT, UPDATE, DELETE ON public.mt5_report_figures FROM rubi_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.mt5_reports TO rubi_app;
GRANT SELECT ON public.mt5_report_figures TO rubi_app, rubi_tenant, rubi_readonly;
GRANT SELECT ON public.mt5_reports TO rubi_tenant, rubi_readonly, rubi_backup;
GRANT USAGE, SELECT ON SEQUENCE public.mt5_reports_id_seq TO rubi_app;
GRANT SELECT ON SEQUENCE public.mt5_reports_id_seq TO rubi_backup;

CALL deploy.set_tenant_policies(
    'public.mt5_reports', 'account_id', 'public.check_account_is_open(account_id)'
);

GRANT EXECUTE ON FUNCTION public.ingest_mt5_report(bigint, jsonb) TO rubi_app, rubi_ingest;
GRANT EXECUTE ON FUNCTION
public.measure_mt5_report(bigint, bigint, bigint, numeric),
public.measure_mt5_series(bigint, bigint, bigint),
public.walk_mt5_deals(bigint, bigint, bigint, numeric)
TO rubi_app, rubi_tenant, rubi_readonly;
