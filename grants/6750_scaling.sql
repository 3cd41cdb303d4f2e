-- 6750_scaling.sql: who may ask where bars lie and how far replicas are behind.
-- needs: grants/6010_roles.sql, functions/2750_lake_files.sql, views/3750_market_series_places.sql,
--        views/3760_replicas.sql
-- transaction: yes

CALL deploy.become_owner();

-- default privileges would let the API write to it
REVOKE INSERT, UPDATE, DELETE ON public.market_series_places, public.read_age FROM rubi_app;
GRANT SELECT ON public.market_series_places, public.read_age TO rubi_app, rubi_readonly;
GRANT EXECUTE ON FUNCTION public.lake_files(text, date, date, text[]) TO rubi_app, rubi_readonly;
GRANT SELECT ON monitoring.replicas, public.read_age TO rubi_monitor;
