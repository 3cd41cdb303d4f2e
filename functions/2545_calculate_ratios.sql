-- 2545_calculate_ratios.sql: every ratio of a user or strategy with what it rests on.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION public.check_ratio_arguments(
    p_level numeric,
    p_benchmark numeric,
    p_window integer
)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- NaN counts as greater than every number; the upper bounds refuse it
    IF p_level >= 0.5 AND p_level <= 0.999 AND p_benchmark >= -100 AND p_benchmark <= 100
        AND p_window >= 10 AND p_window <= 1000 THEN
        RETURN;
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = 'RB074',
        MESSAGE = format(
            'level %s, benchmark %s, window %s: out of range', p_level, p_benchmark, p_window
        ),
        HINT = 'The level is 0.5 to 0.999 (0.95 is 95 percent), the benchmark an annual Sharpe '
            'ratio of -100 to 100, a window 10 to 1,000 trades or 30 to 1,000 days.';
END
$$;
COMMENT ON FUNCTION public.check_ratio_arguments(numeric, numeric, integer) IS
'Raises RB074 unless the level is 0.5 to 0.999, the benchmark -100 to 100 and the window 10 to
1,000.';
REVOKE ALL ON FUNCTION public.check_ratio_arguments(numeric, numeric, integer) FROM public;

CREATE OR REPLACE FUNCTION public.calculate_ratios(
    p_user_id bigint,
    p_strategy_id bigint,
    p_period_start timestamptz,
    p_period_end timestamptz,
    p_initial_balance numeric DEFAULT NULL,
    p_periods_per_year numeric DEFAULT 365,
    p_risk_free numeric DEFAULT 0,
    p_account_id bigint DEFAULT NULL,
    p_open_trades boolean DEFAULT FALSE,
    p_benchmark numeric DEFAULT 0,
    p_level numeric DEFAULT 0.95,
    p_seed bigint DEFAULT 1
)
RETURNS TABLE (
    ratio text,
    unit text,
    value double precision,
    n integer,
    counted text,
    low double precision,
    high double precision,
    level numeric,
    reason text,
    method text
)
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
ROWS 20
COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_reasons jsonb;
    v_money text;
    v_daily text;
    v_nets double precision[];
    v_returns double precision[];
    v_seed CONSTANT bigint := coalesce(p_seed, 1);
BEGIN
    PERFORM public.check_ratio_arguments(p_level, p_benchmark, 30);
    -- the reasons why money or returns are unknown; other arguments are checked there
    SELECT m.reasons INTO v_reasons
    FROM public.calculate_performance_metrics(
        p_user_id, p_strategy_id, p_period_start, p_period_end, p_initial_balance,
        p_periods_per_year, p_risk_free, p_account_id
    ) AS m;
    v_money := v_reasons ->> 'total_profit';
    v_daily := v_reasons ->> CASE
        WHEN p_open_trades THEN 'equity_drawdown_maximal_percent' ELSE 'annual_return'
    END;

    SELECT array_agg(t.net::double precision ORDER BY t.closed_at, t.id) INTO v_nets
    FROM public.find_closed_trades(
        p_user_id, p_strategy_id, EXISTS (
            SELECT FROM public.trading_strategies AS s
            WHERE s.id = p_strategy_id AND s.user_id = p_user_id
        ), p_account_id, p_account_id IS NULL, p_period_start, p_period_end
    ) AS t;
    IF v_daily IS NULL THEN
        SELECT array_agg(d.value::double precision ORDER BY d.day) INTO v_returns
        FROM public.list_daily_returns(
            p_user_id, p_strategy_id, p_period_start, p_period_end, p_initial_balance,
            p_account_id, p_open_trades
        ) AS d;
        -- equity that a day used up, or that another began without
        IF array_position(v_returns, NULL) > 0 OR -1 >= ANY (v_returns) THEN
            v_daily := 'non_positive_balance';
            v_returns := NULL;
        END IF;
    END IF;

    RETURN QUERY
    SELECT
        t.ratio,
        t.unit,
        CASE WHEN t.unit <> 'money' OR v_money IS NULL THEN t.value END,
        t.n,
        'trades',
        CASE WHEN t.unit <> 'money' OR v_money IS NULL THEN t.low END,
        CASE WHEN t.unit <> 'money' OR v_money IS NULL THEN t.high END,
        t.level,
        CASE
            WHEN t.n = 0 THEN 'no_trades'
            ELSE coalesce(CASE WHEN t.unit = 'money' THEN v_money END, t.reason)
        END,
        t.method
    FROM public.list_trade_ratios(coalesce(v_nets, '{}'), p_level, v_seed) AS t;
    RETURN QUERY
    SELECT
        r.ratio, r.unit, r.value, r.n, 'days', r.low, r.high, r.level,
        coalesce(v_daily, r.reason), r.method
    FROM public.list_return_ratios(
        coalesce(v_returns, '{}'), p_periods_per_year::double precision,
        power(1 + round(p_risk_free, 30), 1 / round(p_periods_per_year, 30))::double precision - 1,
        p_benchmark::double precision, p_level, v_seed
    ) AS r;
END
$$;
COMMENT ON FUNCTION public.calculate_ratios(
    bigint, bigint, timestamptz, timestamptz, numeric, numeric, numeric, bigint, boolean, numeric,
    numeric, bigint
) IS
'Ratios of a user (strategy NULL) or a strategy in [start, end), a row each: value, the number n of
trades or days it rests on, the ends of its interval (low, high; probability level), and the method.
Where n is too small for a value or an interval, or these are unknown, they are NULL and reason says
why. docs/guides/ratios.md has all. p_open_trades: daily returns of equity, which holds what is
open. p_benchmark: annual Sharpe ratio to be better than. p_seed: of the draws; the same seed, the
same answer. Other arguments as in calculate_performance_metrics. Raises RB070, RB071, RB074.';
REVOKE ALL ON FUNCTION public.calculate_ratios(
    bigint, bigint, timestamptz, timestamptz, numeric, numeric, numeric, bigint, boolean, numeric,
    numeric, bigint
) FROM public;
