-- 6510_exposure.sql: rights on exposure.

CALL deploy.become_owner();

REVOKE INSERT, UPDATE, DELETE ON
public.exposure_by_currency, public.exposure_by_symbol
FROM rubi_app;
GRANT SELECT ON
public.exposure_by_currency, public.exposure_by_symbol
TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
