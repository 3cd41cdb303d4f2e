-- 2546_roll_ratios.sql: ratios of windows that move over days or over trades.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION public.roll_daily_ratios(
    p_user_id bigint,
    p_strategy_id bigint,
    p_period_start timestamptz,
    p_period_end timestamptz,
    p_days integer DEFAULT 30,
    p_initial_balance numeric DEFAULT NULL,
    p_periods_per_year numeric DEFAULT 365,
    p_risk_free numeric DEFAULT 0,
    p_account_id bigint DEFAULT NULL,
    p_open_trades boolean DEFAULT FALSE
)
RETURNS TABLE (
    day timestamptz,
    n integer,
    trades integer,
    win_rate double precision,
    sharpe_ratio double precision,
    volatility double precision,
    reason text
)
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_reasons jsonb;
    v_daily text;
    v_risk_free numeric;
BEGIN
    PERFORM public.check_ratio_arguments(0.95, 0, CASE WHEN p_days >= 30 THEN p_days END);
    SELECT m.reasons INTO v_reasons
    FROM public.calculate_performance_metrics(
        p_user_id, p_strategy_id, p_period_start, p_period_end, p_initial_balance,
        p_periods_per_year, p_risk_free, p_account_id
    ) AS m;
    v_daily := v_reasons ->> CASE
        WHEN p_open_trades THEN 'equity_drawdown_maximal_percent' ELSE 'annual_return'
    END;
    v_risk_free := -1 + power(1 + round(p_risk_free, 30), 1 / round(p_periods_per_year, 30));
    RETURN QUERY
    -- numeric: a value that leaves such a window is taken out exactly, and none is summed again
    WITH windows AS (
        SELECT
            r.day,
            count(*) OVER w AS n,
            sum(r.trades) OVER w AS trades,
            sum(r.won) OVER w AS won,
            count(*) FILTER (WHERE r.value <> 0) OVER w AS active,
            count(*) FILTER (WHERE (r.value > -1) IS NOT TRUE) OVER w AS used_up,
            avg(r.value) OVER w AS mean,
            stddev_samp(r.value) OVER w AS deviation
        FROM public.list_daily_returns(
            p_user_id, p_strategy_id, p_period_start, p_period_end, p_initial_balance,
            p_account_id, p_open_trades
        ) AS r
        WINDOW w AS (ORDER BY r.day ROWS BETWEEN p_days - 1 PRECEDING AND CURRENT ROW)
    ),

    judged AS (
        SELECT
            w.day,
            w.n,
            w.trades,
            w.won,
            w.mean,
            w.deviation,
            coalesce(
                v_daily,
                CASE WHEN w.used_up > 0 THEN 'non_positive_balance' END,
                CASE WHEN w.active < 10 THEN 'too_few' END,
                CASE WHEN w.deviation = 0 THEN 'zero_variance' END
            ) AS reason
        FROM windows AS w
        WHERE w.n = p_days
    )

    SELECT
        j.day,
        j.n::integer,
        j.trades::integer,
        CASE WHEN j.trades >= 10 THEN (100 * j.won / j.trades)::double precision END,
        CASE
            WHEN j.reason IS NULL
            THEN ((j.mean - v_risk_free) / j.deviation * sqrt(p_periods_per_year))::double precision
        END,
        CASE
            WHEN j.reason IS NULL
            THEN (100 * j.deviation * sqrt(p_periods_per_year))::double precision
        END,
        j.reason
    FROM judged AS j
    ORDER BY j.day;
END
$$;
COMMENT ON FUNCTION public.roll_daily_ratios(
    bigint, bigint, timestamptz, timestamptz, integer, numeric, numeric, numeric, bigint, boolean
) IS
'Ratios of the p_days (30 to 1,000) UTC days that end with each day: trades closed and win rate
(percent 0-100, NULL below ten trades), Sharpe ratio and volatility (annualised, volatility in
percent), NULL with a reason as in calculate_ratios. Other arguments as there. Raises RB070, RB071,
RB074.';
REVOKE ALL ON FUNCTION public.roll_daily_ratios(
    bigint, bigint, timestamptz, timestamptz, integer, numeric, numeric, numeric, bigint, boolean
) FROM public;

CREATE OR REPLACE FUNCTION public.roll_trade_ratios(
    p_user_id bigint,
    p_strategy_id bigint,
    p_period_start timestamptz,
    p_period_end timestamptz,
    p_trades integer DEFAULT 50,
    p_account_id bigint DEFAULT NULL
)
RETURNS TABLE (
    order_id bigint,
    closed_at timestamptz,
    n integer,
    win_rate double precision,
    average_profit double precision,
    volatility double precision,
    reason text
)
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    PERFORM public.check_performance_period(p_period_start, p_period_end);
    PERFORM public.check_ratio_arguments(0.95, 0, p_trades);
    RETURN QUERY
    WITH closed AS MATERIALIZED (
        SELECT t.id, t.account_id, t.closed_at, t.net
        FROM public.find_closed_trades(
            p_user_id, p_strategy_id, EXISTS (
                SELECT FROM public.trading_strategies AS s
                WHERE s.id = p_strategy_id AND s.user_id = p_user_id
            ), p_account_id, p_account_id IS NULL, p_period_start, p_period_end
        ) AS t
    ),

    -- trades without an account are in a currency nobody knows
    currencies AS (
        SELECT count(DISTINCT coalesce(a.currency, '')) > 1 AS mixed
        FROM (SELECT DISTINCT c.account_id FROM closed AS c) AS c
        LEFT JOIN public.mt5_accounts AS a ON c.account_id = a.id
    ),

    windows AS (
        SELECT
            c.id,
            c.closed_at,
            count(*) OVER w AS n,
            count(*) FILTER (WHERE c.net > 0) OVER w AS won,
            avg(c.net) OVER w AS mean,
            stddev_samp(c.net) OVER w AS deviation
        FROM closed AS c
        WINDOW w AS (ORDER BY c.closed_at, c.id ROWS BETWEEN p_trades - 1 PRECEDING AND CURRENT ROW)
    )

    SELECT
        w.id,
        w.closed_at,
        w.n::integer,
        100.0::double precision * w.won / w.n,
        CASE WHEN NOT m.mixed THEN w.mean::double precision END,
        CASE WHEN NOT m.mixed THEN w.deviation::double precision END,
        CASE WHEN m.mixed THEN 'mixed_currency' END
    FROM windows AS w
    CROSS JOIN currencies AS m
    WHERE w.n = p_trades
    ORDER BY w.closed_at, w.id;
END
$$;
COMMENT ON FUNCTION public.roll_trade_ratios(
    bigint, bigint, timestamptz, timestamptz, integer, bigint
) IS
'Ratios of the p_trades (10 to 1,000) trades that end with each trade: win rate (percent 0-100),
mean and sample standard deviation of the net results (account currency; NULL with a reason where
currencies are mixed). Raises RB070, RB074.';
REVOKE ALL ON FUNCTION public.roll_trade_ratios(
    bigint, bigint, timestamptz, timestamptz, integer, bigint
) FROM public;
