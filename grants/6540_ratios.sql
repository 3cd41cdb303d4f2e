-- 6540_ratios.sql: rights to calculate ratios.

CALL deploy.become_owner();

GRANT EXECUTE ON FUNCTION
public.draw_number(bigint, integer, integer),
public.bootstrap_trades(double precision[], integer, bigint),
public.bootstrap_returns(double precision[], integer, bigint),
public.simulate_drawdowns(double precision[], integer, bigint, boolean),
public.normal_probability(double precision),
public.normal_quantile(double precision),
public.sharpe_variance(double precision, double precision, double precision),
public.probabilistic_sharpe(
    double precision, double precision, integer, double precision, double precision
),
public.minimum_track_record(
    double precision, double precision, double precision, double precision, double precision
),
public.list_daily_returns(
    bigint, bigint, timestamptz, timestamptz, numeric, bigint, boolean
),
public.count_replicates(integer),
public.measure_runs(double precision[]),
public.list_drawdown_ratios(double precision[], bigint),
public.list_trade_ratios(double precision[], numeric, bigint),
public.measure_moments(double precision[]),
public.measure_ulcer(double precision[]),
public.list_tail_ratios(double precision[]),
public.measure_sharpe(
    double precision[], double precision, double precision, numeric, bigint
),
public.list_return_ratios(
    double precision[], double precision, double precision, double precision, numeric, bigint
),
public.check_ratio_arguments(numeric, numeric, integer),
public.calculate_ratios(
    bigint, bigint, timestamptz, timestamptz, numeric, numeric, numeric, bigint, boolean, numeric,
    numeric, bigint
),
public.roll_daily_ratios(
    bigint, bigint, timestamptz, timestamptz, integer, numeric, numeric, numeric, bigint, boolean
),
public.roll_trade_ratios(bigint, bigint, timestamptz, timestamptz, integer, bigint),
public.correlate_strategies(bigint, timestamptz, timestamptz, bigint, numeric)
TO rubi_app, rubi_tenant, rubi_readonly;
