-- 6740_market_series_places.sql: rights to ask for the places of bars and the lag of replicas.

CALL deploy.become_owner();

REVOKE INSERT, UPDATE, DELETE ON public.market_series_places FROM rubi_app;
GRANT SELECT ON public.market_series_places TO rubi_app, rubi_readonly;
