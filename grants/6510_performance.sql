-- 6510_performance.sql: who may read and calculate results.
-- needs: grants/6010_roles.sql, views/3510_account_states.sql,
--        views/3530_calculate_performance_metrics.sql and the views after it
-- transaction: yes

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON public.balance_operations TO rubi_app;
GRANT USAGE, SELECT ON SEQUENCE public.balance_operations_id_seq TO rubi_app;
GRANT SELECT ON public.balance_operations TO rubi_readonly, rubi_backup;
GRANT SELECT ON SEQUENCE public.balance_operations_id_seq TO rubi_backup;

-- A view that is made again gets rubi_app's default rights on new tables: it is for reading only.
REVOKE INSERT, UPDATE, DELETE ON
public.account_states, public.closed_trades, public.daily_results, public.monthly_results,
public.symbol_results, public.strategy_results, public.session_results, public.weekday_results,
public.hour_results, public.daily_equity, public.trade_series, public.exposure_by_symbol,
public.exposure_by_currency, public.signal_executions, public.execution_quality,
public.signal_funnel, public.account_risk
FROM rubi_app;
GRANT SELECT ON
public.account_states, public.closed_trades, public.daily_results, public.monthly_results,
public.symbol_results, public.strategy_results, public.session_results, public.weekday_results,
public.hour_results, public.daily_equity, public.trade_series, public.exposure_by_symbol,
public.exposure_by_currency, public.signal_executions, public.execution_quality,
public.signal_funnel, public.account_risk
TO rubi_app, rubi_readonly, rubi_backup;

-- A tenant's day begins by its server's clock; the rules name servers and nobody's data.
GRANT SELECT ON public.mt5_server_clocks TO rubi_tenant;

-- They run as the caller and answer what the caller may see.
GRANT EXECUTE ON FUNCTION
public.find_account_state(bigint, timestamptz, boolean),
public.find_account_balance(bigint, timestamptz),
public.find_server_day_start(bigint, timestamptz)
TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
GRANT EXECUTE ON FUNCTION
public.check_performance_period(timestamptz, timestamptz),
public.performance_events(
    bigint, bigint, boolean, bigint, boolean, timestamptz, timestamptz, numeric, numeric
),
public.measure_performance(
    bigint, bigint, bigint, bigint, boolean, timestamptz, timestamptz, numeric, numeric, numeric
),
public.calculate_performance_metrics(
    bigint, bigint, timestamptz, timestamptz, numeric, numeric, numeric, bigint
)
TO rubi_app, rubi_tenant, rubi_readonly;
GRANT EXECUTE ON FUNCTION public.refresh_performance_metrics(timestamptz, timestamptz)
TO rubi_app;
