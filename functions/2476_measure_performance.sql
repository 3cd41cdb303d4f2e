-- 2476_measure_performance.sql: every figure of performance_metrics for one group and period.

CALL deploy.become_owner();

-- docs/reference/performance.md gives each formula. No set of arguments wants another plan, and
-- planning at each call would take longer than the figures.
CREATE OR REPLACE FUNCTION public.measure_performance(
    p_id bigint,
    p_user_id bigint,
    p_strategy_id bigint,
    p_account_id bigint,
    p_all_accounts boolean,
    p_period_start timestamptz,
    p_period_end timestamptz,
    p_initial_balance numeric,
    p_periods_per_year numeric,
    p_risk_free numeric
)
RETURNS SETOF public.performance_metrics
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
ROWS 1
COST 10000
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_method CONSTANT integer := 1; -- the version of the calculation
    v_found record;
    v_figures record;
    v_row public.performance_metrics;
BEGIN
    PERFORM public.check_performance_period(p_period_start, p_period_end);
    -- Asked once: beside the strategy's index a condition on orders' user_id would only bring in a
    -- second one. An order's strategy always belongs to the order's user, by its foreign key.
    SELECT f.equity, f.balance, f.sums INTO v_found
    FROM public.follow_performance_curves(
        p_user_id, p_strategy_id, EXISTS (
            SELECT FROM public.trading_strategies AS s
            WHERE s.id = p_strategy_id AND s.user_id = p_user_id
        ), p_account_id, p_all_accounts, p_period_start, p_period_end, p_initial_balance,
        -1 + power(1 + round(p_risk_free, 30), 1 / round(p_periods_per_year, 30))
    ) AS f;

    v_row.id := p_id;
    v_row.user_id := p_user_id;
    v_row.strategy_id := p_strategy_id;
    v_row.account_id := p_account_id;
    v_row.all_accounts := p_all_accounts;
    v_row.period_start := p_period_start;
    v_row.period_end := p_period_end;
    v_row.calculated_at := now();
    v_row.basis := 'balance';
    v_row.periods_per_year := p_periods_per_year;
    v_row.risk_free := p_risk_free;
    v_row.method_version := v_method;
    v_row.total_trades := (v_found.sums).trades;
    v_row.winning_trades := (v_found.sums).won;
    v_row.losing_trades := (v_found.sums).lost;
    v_row.break_even_trades := v_row.total_trades - v_row.winning_trades - v_row.losing_trades;
    v_row.longest_winning_series := (v_found.balance).won;
    v_row.longest_losing_series := (v_found.balance).lost;
    v_row.turnover := (v_found.sums).volume;

    WITH reasons AS MATERIALIZED (
        SELECT r.why
        FROM public.find_performance_reasons(
            v_found.sums, v_found.equity, v_found.balance
        ) AS r
    ),

    figures AS (
        SELECT f.name, f.reason, f.value
        FROM reasons AS r
        CROSS JOIN LATERAL public.list_trade_figures(v_found.sums, v_found.balance, r.why) AS f
        UNION ALL
        SELECT f.name, f.reason, f.value
        FROM reasons AS r
        CROSS JOIN LATERAL public.list_return_figures(
            v_found.sums, p_periods_per_year, r.why
        ) AS f
        UNION ALL
        SELECT f.name, f.reason, f.value
        FROM reasons AS r
        CROSS JOIN LATERAL public.list_drawdown_figures('balance', v_found.balance, r.why) AS f
        UNION ALL
        SELECT f.name, f.reason, f.value
        FROM reasons AS r
        CROSS JOIN LATERAL public.list_drawdown_figures('equity', v_found.equity, r.why) AS f
    )

    SELECT
        jsonb_populate_record(
            v_row, jsonb_object_agg(f.name, f.value) FILTER (WHERE f.reason IS NULL)
        ) AS known,
        jsonb_object_agg(f.name, f.reason) FILTER (WHERE f.reason IS NOT NULL) AS reasons
    INTO v_figures
    FROM figures AS f;
    v_row := v_figures.known;
    v_row.reasons := v_figures.reasons;
    RETURN NEXT v_row;
END
$$;
COMMENT ON FUNCTION public.measure_performance(
    bigint, bigint, bigint, bigint, boolean, timestamptz, timestamptz, numeric, numeric, numeric
) IS
'One row of performance_metrics, not stored: the results of a user (strategy NULL) or strategy, of
all accounts, one account, or (p_all_accounts FALSE, p_account_id NULL) the orders without an
account. p_id becomes its id. Raises RB070; other arguments are checked by
calculate_performance_metrics.';
REVOKE ALL ON FUNCTION public.measure_performance(
    bigint, bigint, bigint, bigint, boolean, timestamptz, timestamptz, numeric, numeric, numeric
) FROM public;
