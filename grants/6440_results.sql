-- 6440_results.sql: rights on results.

CALL deploy.become_owner();

REVOKE INSERT, UPDATE, DELETE ON
public.daily_results, public.hour_results, public.monthly_results, public.session_results,
public.strategy_results, public.symbol_results, public.weekday_results
FROM rubi_app;
GRANT SELECT ON
public.daily_results, public.hour_results, public.monthly_results, public.session_results,
public.strategy_results, public.symbol_results, public.weekday_results
TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
GRANT EXECUTE ON FUNCTION
public.group_trades(bigint, timestamptz, timestamptz, text, bigint, bigint),
public.name_market_session(timestamptz)
TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
