-- 6470_measure_performance.sql: rights to measure performance.

CALL deploy.become_owner();

GRANT EXECUTE ON FUNCTION
public.exact_ratio(numeric, numeric),
public.percent_of(numeric, numeric),
public.utc_day(timestamptz),
public.find_closed_trades(
    bigint, bigint, boolean, bigint, boolean, timestamptz, timestamptz
),
public.sum_trading_days(public.trading_day[]),
public.find_results_basis(
    public.trading_day[], bigint, bigint, bigint, boolean, timestamptz, numeric
),
public.find_daily_balances(
    public.trading_day[], public.balance_operations[], numeric, timestamptz, timestamptz
),
public.find_daily_returns(
    public.trading_day[], public.balance_operations[], numeric, timestamptz, timestamptz
),
public.measure_daily_returns(
    public.trading_day[], public.balance_operations[], numeric, timestamptz, timestamptz, numeric
),
public.find_bookings(bigint, timestamptz, timestamptz),
public.find_equity_events(bigint[], timestamptz, timestamptz),
public.performance_events(
    bigint, bigint, boolean, bigint, boolean, timestamptz, timestamptz, numeric, numeric
),
public.recover_drawdown(public.drawdown, timestamptz, timestamptz),
public.follow_performance_curves(
    bigint, bigint, boolean, bigint, boolean, timestamptz, timestamptz, numeric, numeric
),
public.find_performance_reasons(
    public.performance_sums, public.performance_curve, public.performance_curve
),
public.list_trade_figures(public.performance_sums, public.performance_curve, jsonb),
public.list_return_figures(public.performance_sums, numeric, jsonb),
public.list_drawdown_figures(text, public.performance_curve, jsonb),
public.measure_performance(
    bigint, bigint, bigint, bigint, boolean, timestamptz, timestamptz, numeric, numeric, numeric
)
TO rubi_app, rubi_tenant, rubi_readonly;
