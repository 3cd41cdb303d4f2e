-- 2400_calculate_performance_metrics.sql: results asked for, and stored.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION public.check_performance_period(
    p_period_start timestamptz,
    p_period_end timestamptz
)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- returns are daily: 8,000 years of them held a connection for longer than its minute
    IF p_period_end > p_period_start AND isfinite(p_period_start) AND isfinite(p_period_end)
        AND p_period_end <= p_period_start + interval '876600 hours' THEN
        RETURN;
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = 'RB070',
        MESSAGE = format('%s to %s is no period', p_period_start, p_period_end),
        HINT = 'Give a finite start and a finite end after it, at most 100 years later.';
END
$$;
COMMENT ON FUNCTION public.check_performance_period(timestamptz, timestamptz) IS
'Raises RB070 unless both ends are finite and the end comes after the start, at most 100 years.';
REVOKE ALL ON FUNCTION public.check_performance_period(timestamptz, timestamptz) FROM public;

CREATE OR REPLACE FUNCTION public.calculate_performance_metrics(
    p_user_id bigint,
    p_strategy_id bigint,
    p_period_start timestamptz,
    p_period_end timestamptz,
    p_initial_balance numeric DEFAULT NULL,
    p_periods_per_year numeric DEFAULT 365,
    p_risk_free numeric DEFAULT 0,
    p_account_id bigint DEFAULT NULL
)
RETURNS SETOF public.performance_metrics
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
ROWS 1
COST 10000
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM public.check_performance_period(p_period_start, p_period_end);
    -- NaN counts as greater than every number; the upper bounds refuse it
    IF p_periods_per_year > 0 AND p_periods_per_year <= 366
        AND p_risk_free > -1 AND p_risk_free <= 10
        AND coalesce(
            p_initial_balance > '-Infinity' AND p_initial_balance < 'Infinity', TRUE
        ) THEN
        RETURN QUERY
        SELECT m.* -- all columns of the table
        FROM public.measure_performance(
            NULL, p_user_id, p_strategy_id, p_account_id, p_account_id IS NULL,
            p_period_start, p_period_end, p_initial_balance, p_periods_per_year, p_risk_free
        ) AS m;
        RETURN;
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = 'RB071',
        MESSAGE = format(
            'initial balance %s, %s periods a year, risk-free rate %s: out of range',
            p_initial_balance, p_periods_per_year, p_risk_free
        ),
        HINT = 'The balance is finite, periods are above 0 and at most 366 as returns are daily, '
            'the rate is above -1 and at most 10 (0.02 is two percent).';
END
$$;
COMMENT ON FUNCTION public.calculate_performance_metrics(
    bigint, bigint, timestamptz, timestamptz, numeric, numeric, numeric, bigint
) IS
'Results of the trades that a user (strategy NULL) or a strategy closed in [start, end), always one
row, as performance_metrics describes it; id is NULL, nothing is stored. p_initial_balance, account
currency, stands in for the accounts'' balance at the start. p_risk_free is annual. p_account_id
limits the results to one account. Raises RB070 for a bad period, RB071 for a number out of range.';
REVOKE ALL ON FUNCTION public.calculate_performance_metrics(
    bigint, bigint, timestamptz, timestamptz, numeric, numeric, numeric, bigint
) FROM public;

CREATE OR REPLACE FUNCTION public.refresh_performance_metrics(
    p_period_start timestamptz,
    p_period_end timestamptz
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- only the owner writes failures
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_group record;
    v_stored bigint := 0;
    v_count bigint;
    v_code text;
    v_message text;
BEGIN
    PERFORM public.check_performance_period(p_period_start, p_period_end);
    -- Two refreshes of one period follow each other: the later one counts later.
    PERFORM pg_advisory_xact_lock(
        hashtextextended(
            format('performance %s %s', extract(epoch FROM p_period_start),
            extract(epoch FROM p_period_end)), 0
        )
    );
    DELETE FROM public.performance_metrics AS p
    WHERE p.period_start = p_period_start AND p.period_end = p_period_end
        AND p.method_version IS NOT NULL;
    DELETE FROM monitoring.performance_failures AS f
    WHERE f.period_start = p_period_start AND f.period_end = p_period_end;
    FOR v_group IN
        -- each night's rows of all who have ever left would outgrow those of the living
        WITH members AS (
            SELECT u.id
            FROM public.users AS u
            WHERE u.closed_at IS NULL OR u.closed_at > p_period_start
                OR EXISTS (
                    SELECT FROM public.trading_orders AS o
                    WHERE o.user_id = u.id
                        AND o.closed_at >= p_period_start AND o.closed_at < p_period_end
                        AND o.close_price IS NOT NULL
                )
        )

        SELECT
            m.id AS user_id,
            NULL::bigint AS strategy_id
        FROM members AS m
        UNION ALL
        SELECT
            t.user_id,
            t.id
        FROM public.trading_strategies AS t
        INNER JOIN members AS m ON t.user_id = m.id
    LOOP
        BEGIN
            -- One statement, one snapshot: a row counts an order in all of its figures or in none.
            WITH measured AS MATERIALIZED (
                SELECT m.* -- all columns of the table
                FROM public.measure_performance(
                    nextval('public.performance_metrics_id_seq'), v_group.user_id,
                    v_group.strategy_id, NULL, TRUE, p_period_start, p_period_end, NULL, 365, 0
                ) AS m
            )

            INSERT INTO public.performance_metrics
            SELECT m.*
            FROM measured AS m
            UNION ALL
            -- groups without a sum in one currency, account by account
            SELECT a.*
            FROM measured AS m
            CROSS JOIN LATERAL (
                SELECT DISTINCT o.account_id
                FROM public.trading_orders AS o
                WHERE o.user_id = m.user_id
                    AND (m.strategy_id IS NULL OR o.strategy_id = m.strategy_id)
                    AND o.closed_at >= p_period_start AND o.closed_at < p_period_end
                    AND o.close_price IS NOT NULL
            ) AS o
            CROSS JOIN LATERAL public.measure_performance(
                nextval('public.performance_metrics_id_seq'), m.user_id, m.strategy_id,
                o.account_id, FALSE, p_period_start, p_period_end, NULL, 365, 0
            ) AS a
            WHERE m.total_trades > 0 AND m.reasons ->> 'total_profit' = 'mixed_currency';
            GET DIAGNOSTICS v_count = ROW_COUNT;
            v_stored := v_stored + v_count;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS v_code = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT;
            -- values, rules and limits are one group's fault; a full disk or a deadlock is not
            IF v_code !~ '^(21|22|23|54|RB)' THEN
                RAISE;
            END IF;
            INSERT INTO monitoring.performance_failures (
                user_id, strategy_id, period_start, period_end, code, message
            )
            VALUES (
                v_group.user_id, v_group.strategy_id, p_period_start, p_period_end, v_code,
                left(v_message, 500)
            );
        END;
    END LOOP;
    RETURN v_stored;
END
$$;
COMMENT ON FUNCTION public.refresh_performance_metrics(timestamptz, timestamptz) IS
'Calculates the period for every user and every strategy and stores the results in
performance_metrics in place of earlier ones of the period; answers the number of rows. A user who
was closed before the period has none, unless a trade was closed in it. Where
currencies are mixed each account has a row of its own, too. Groups that can''t be measured are in
monitoring.performance_failures. Rows that a client wrote stay. Raises RB070 for a bad period.';
REVOKE ALL ON FUNCTION public.refresh_performance_metrics(timestamptz, timestamptz) FROM public;
