-- 6300_mt5_codes.sql: rights on MT5 codes.

CALL deploy.become_owner();

REVOKE INSERT, UPDATE, DELETE ON public.mt5_codes, public.mt5_deal_types FROM rubi_app;
GRANT SELECT ON internal.mt5_fields TO rubi_backup;
GRANT SELECT ON public.mt5_codes, public.mt5_deal_types
TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
