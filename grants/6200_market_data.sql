-- 6200_market_data.sql: rights on bars.

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON public.market_data TO rubi_app;
GRANT SELECT ON public.market_data TO rubi_readonly, rubi_backup;
GRANT USAGE, SELECT ON SEQUENCE public.market_data_id_seq TO rubi_app;
GRANT SELECT ON SEQUENCE public.market_data_id_seq TO rubi_backup;
