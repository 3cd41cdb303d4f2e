-- 6310_mt5_server_clocks.sql: rights on MT5 server clocks.

CALL deploy.become_owner();

-- A tenant's day begins by its server's clock; the rules name servers and no user's data.
GRANT SELECT, INSERT, UPDATE, DELETE ON public.mt5_server_clocks TO rubi_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.mt5_clock_readings TO rubi_app;
GRANT SELECT ON
public.mt5_clock_readings, public.mt5_server_clocks
TO rubi_tenant, rubi_readonly, rubi_backup;

GRANT SELECT ON monitoring.server_clocks TO rubi_app, rubi_readonly, rubi_monitor, rubi_backup;

GRANT EXECUTE ON FUNCTION
public.find_mt5_clock_shift(bigint), public.mt5_clock_minutes(text, timestamptz),
public.mt5_server_time(text, bigint)
TO rubi_app, rubi_readonly;
GRANT EXECUTE ON FUNCTION
public.measure_mt5_clock(text, text, integer, timestamptz),
public.propose_mt5_clocks(text),
public.set_mt5_server_clock(text, text, integer)
TO rubi_app, rubi_ingest;
GRANT EXECUTE ON FUNCTION public.rederive_mt5_times(text) TO rubi_app;
