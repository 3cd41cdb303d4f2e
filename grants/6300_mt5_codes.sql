-- 6300_mt5_codes.sql: who may do what with MT5 codes.

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON public.mt5_codes, public.mt5_deal_types TO rubi_app;
GRANT SELECT ON internal.mt5_fields TO rubi_backup;
GRANT SELECT ON public.mt5_codes, public.mt5_deal_types TO rubi_tenant, rubi_readonly, rubi_backup;
