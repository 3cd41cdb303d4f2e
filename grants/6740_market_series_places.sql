-- 6740_market_series_places.sql: who may ask where bars lie and how far replicas are behind.

CALL deploy.become_owner();

REVOKE INSERT, UPDATE, DELETE ON public.market_series_places FROM rubi_app;
GRANT SELECT ON public.market_series_places TO rubi_app, rubi_readonly;
