-- 2471_measure_performance.sql: every figure of performance_metrics for one group and period.

CALL deploy.become_owner();

-- docs/performance.md gives each formula. The query of performance_events() reads the group's
-- trades once and brings them in order, with their sums, to a loop that follows the balance
-- (drawdowns, series). Windows over windows instead of the loop took three times as long (10,000
-- orders: 110 ms against 35), and under a generic plan their joins went square. Here nothing joins
-- two large sets: cost is linear; beyond work_mem the trades spill to disk. STABLE and one
-- statement: the caller's snapshot. An order written meanwhile is in all figures or in none. jit
-- would take longer than the calculation, and so would planning at each call: no set of arguments
-- wants another plan.
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
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    -- Asked once: beside the strategy's index a condition on orders' user_id would only bring in a
    -- second one. An order's strategy is always of the order's user, its foreign key says so.
    v_strategy_owned boolean := EXISTS (
        SELECT FROM public.trading_strategies AS s
        WHERE s.id = p_strategy_id AND s.user_id = p_user_id
    );
    v_daily_risk_free numeric := -1 + power(
        1 + round(p_risk_free, 30), 1 / round(p_periods_per_year, 30)
    );
    v_root numeric := sqrt(round(p_periods_per_year, 30));
    v_m record; -- what was summed
    v_f record; -- what is answered
    v_row public.performance_metrics;
    v_growth numeric;
    -- the curve being followed, as change since its start; what was booked is no change
    v_event record;
    v_curve integer;
    v_points boolean;
    v_start numeric;
    v_change numeric := 0;
    v_booked numeric;
    v_high numeric;
    v_high_at timestamptz;
    v_below_at timestamptz; -- when it fell below the high; NULL at the high
    v_depth numeric; -- deepest below the high, since the high or the last booking
    v_percent numeric;
    v_not_positive boolean;
    v_under_water interval;
    -- its drawdowns so far: absolute, maximal, relative
    v_lowest numeric;
    v_lowest_start numeric;
    v_lowest_at timestamptz;
    v_lowest_recovered_at timestamptz;
    v_money numeric;
    v_money_percent numeric;
    v_money_started_at timestamptz;
    v_money_trough_at timestamptz;
    v_money_recovered_at timestamptz;
    v_relative numeric;
    v_relative_percent numeric;
    v_relative_started_at timestamptz;
    v_relative_trough_at timestamptz;
    v_relative_recovered_at timestamptz;
    -- results of both curves
    v_drawdowns record;
    v_equity record;
    v_balance record;
    -- points in a row with the same sign
    v_side integer := 0;
    v_series integer := 0;
    v_series_start numeric := 0;
    v_won integer := 0;
    v_won_money numeric;
    v_lost integer := 0;
    v_lost_money numeric;
    -- why figures of a kind are not known: the most general reason that applies
    v_why_counted text;
    v_why_money text;
    v_why_traded text;
    v_why_currency text;
    v_why_won text;
    v_why_lost text;
    v_why_opening text;
    v_why_based text;
    v_why_returns text;
    v_why_spread text;
    v_why_equity text;
    v_why_equity_based text;
BEGIN
    PERFORM public.check_performance_period(p_period_start, p_period_end);
    -- The curves of equity (1) and balance (2), in the order of time: where each starts (kind 0),
    -- what was booked without a result (1), results (2). Curve 3 ends them and brings the sums.
    FOR v_event IN
        SELECT e.*
        FROM public.performance_events(
            p_user_id, p_strategy_id, v_strategy_owned, p_account_id, p_all_accounts,
            p_period_start, p_period_end, p_initial_balance, v_daily_risk_free
        ) AS e
        ORDER BY e.curve, e.at, e.kind, e.id
    LOOP
        IF v_event.booked IS NOT NULL THEN
            v_booked := v_booked + v_event.booked;
            v_not_positive := v_not_positive OR v_start + v_booked <= 0;
            v_depth := 0; -- the same fall is another percentage from now on
            CONTINUE WHEN v_event.kind = 1;
        END IF;

        IF v_event.side IS DISTINCT FROM v_side THEN -- NULL: a curve starts
            IF v_side = 1 AND (
                v_series > v_won
                OR v_series = v_won AND v_change - v_series_start > v_won_money
            ) THEN
                v_won := v_series;
                v_won_money := v_change - v_series_start;
            ELSIF v_side = -1 AND (
                v_series > v_lost
                OR v_series = v_lost AND v_change - v_series_start < v_lost_money
            ) THEN
                v_lost := v_series;
                v_lost_money := v_change - v_series_start;
            END IF;
            v_points := v_series > 0;
            v_side := v_event.side;
            v_series := 0;
            v_series_start := v_change;
        END IF;

        IF v_event.kind = 0 THEN
            SELECT
                v_points AS known,
                v_not_positive AS not_positive,
                ARRAY[-v_lowest, v_money, v_relative] AS money,
                ARRAY[
                    CASE
                        WHEN v_lowest_start > 0
                        THEN round(-v_lowest, 30) / v_lowest_start * 100
                    END,
                    v_money_percent,
                    v_relative_percent
                ] AS percent,
                ARRAY[p_period_start, v_money_started_at, v_relative_started_at] AS started_at,
                ARRAY[v_lowest_at, v_money_trough_at, v_relative_trough_at] AS trough_at,
                ARRAY[v_lowest_recovered_at, v_money_recovered_at, v_relative_recovered_at]
                    AS recovered_at,
                v_under_water + coalesce(
                    greatest(least(p_period_end, now()), v_below_at) - v_below_at, interval '0'
                ) AS under_water,
                v_won AS won,
                v_won_money AS won_money,
                v_lost AS lost,
                v_lost_money AS lost_money
            INTO v_drawdowns;
            IF v_curve = 2 THEN
                v_balance := v_drawdowns;
            ELSE
                v_equity := v_drawdowns; -- of nothing, when there was no curve of equity
            END IF;
            v_curve := v_event.curve;
            v_start := v_event.change;
            v_change := 0;
            v_booked := 0;
            v_high := 0;
            v_high_at := p_period_start;
            v_below_at := NULL;
            v_depth := 0;
            v_not_positive := v_start <= 0;
            v_under_water := interval '0';
            v_lowest := 0;
            v_lowest_start := v_start;
            v_lowest_at := NULL;
            v_lowest_recovered_at := NULL;
            v_money := 0;
            v_money_percent := 0;
            v_money_recovered_at := NULL;
            v_relative := 0;
            v_relative_percent := 0;
            v_relative_recovered_at := NULL;
            v_side := 0;
            v_series_start := 0;
            v_won := 0;
            v_lost := 0;
            CONTINUE;
        END IF;

        v_series := v_series + 1;
        v_change := v_change + v_event.change;
        IF v_change >= v_high THEN
            IF v_below_at IS NOT NULL THEN
                v_under_water := v_under_water + (v_event.at - v_below_at);
                IF v_money_started_at = v_high_at AND v_money_recovered_at IS NULL THEN
                    v_money_recovered_at := v_event.at;
                END IF;
                IF v_relative_started_at = v_high_at AND v_relative_recovered_at IS NULL THEN
                    v_relative_recovered_at := v_event.at;
                END IF;
                v_below_at := NULL;
                v_depth := 0;
            END IF;
            v_high := v_change;
            v_high_at := v_event.at;
        ELSE
            IF v_high - v_change > v_depth THEN
                IF v_below_at IS NULL THEN -- the depth at a high is 0
                    v_below_at := v_event.at;
                END IF;
                v_depth := v_high - v_change;
                v_percent := CASE
                    WHEN v_start + v_booked + v_high > 0
                    THEN round(v_depth, 30) / (v_start + v_booked + v_high) * 100
                END;
                IF v_depth > v_money THEN
                    v_money := v_depth;
                    v_money_percent := v_percent;
                    v_money_started_at := v_high_at;
                    v_money_trough_at := v_event.at;
                    v_money_recovered_at := NULL;
                END IF;
                IF v_percent > v_relative_percent THEN
                    v_relative := v_depth;
                    v_relative_percent := v_percent;
                    v_relative_started_at := v_high_at;
                    v_relative_trough_at := v_event.at;
                    v_relative_recovered_at := NULL;
                END IF;
            END IF;
        END IF;
        IF v_change < v_lowest THEN
            v_lowest := v_change;
            v_lowest_start := v_start + v_booked;
            v_lowest_at := v_event.at;
            v_lowest_recovered_at := NULL;
        ELSIF v_change >= 0 AND v_lowest_recovered_at IS NULL AND v_lowest < 0 THEN
            v_lowest_recovered_at := v_event.at;
        END IF;
    END LOOP;

    -- the last event is the row of sums; numbers pass through jsonb as they are
    SELECT
        m.trades,
        m.won,
        m.lost,
        m.net,
        m.gross_profit,
        m.gross_loss,
        m.best,
        m.worst,
        m.held,
        m.volume,
        m.commission,
        m.swap,
        m.mixed,
        m.currency,
        m.opening,
        m.observations,
        m.excess,
        m.deviation,
        m.constant,
        m.downside,
        m.lowest,
        m.fall,
        m.growth
    INTO v_m
    FROM jsonb_to_record(v_event.summary) AS m (
        trades integer, won integer, lost integer, net numeric, gross_profit numeric,
        gross_loss numeric, best numeric, worst numeric, held interval, volume numeric,
        commission numeric, swap numeric, mixed boolean, currency text, opening numeric,
        observations integer, excess numeric, deviation numeric, constant boolean,
        downside numeric, lowest numeric, fall numeric, growth numeric
    );

    v_why_money := CASE WHEN v_m.mixed THEN 'mixed_currency' END;
    v_why_counted := CASE WHEN v_m.trades = 0 THEN 'no_trades' END;
    v_why_traded := coalesce(v_why_counted, v_why_money);
    v_why_currency := coalesce(
        v_why_money, CASE WHEN v_m.currency IS NULL THEN coalesce(v_why_counted, 'no_account') END
    );
    v_why_won := coalesce(v_why_traded, CASE WHEN v_m.won = 0 THEN 'no_wins' END);
    v_why_lost := coalesce(v_why_traded, CASE WHEN v_m.lost = 0 THEN 'no_losses' END);
    v_why_opening := coalesce(v_why_money, CASE WHEN v_m.opening IS NULL THEN 'no_balance' END);
    v_why_based := coalesce(
        v_why_traded, v_why_opening,
        CASE WHEN v_balance.not_positive THEN 'non_positive_balance' END
    );
    v_why_returns := coalesce(
        v_why_traded, v_why_opening, CASE WHEN v_m.lowest <= 0 THEN 'non_positive_balance' END
    );
    v_why_spread := coalesce(v_why_returns, CASE WHEN v_m.observations < 2 THEN 'too_few' END);
    v_why_equity := coalesce(
        v_why_money, CASE WHEN v_equity.known IS NOT TRUE THEN 'no_equity' END
    );
    v_why_equity_based := coalesce(
        v_why_equity, CASE WHEN v_equity.not_positive THEN 'non_positive_balance' END
    );

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
    v_row.method_version := 1;
    v_row.observations := CASE WHEN v_why_returns IS NULL THEN v_m.observations ELSE 0 END;
    v_row.total_trades := v_m.trades;
    v_row.winning_trades := v_m.won;
    v_row.losing_trades := v_m.lost;
    v_row.break_even_trades := v_m.trades - v_m.won - v_m.lost;
    v_row.longest_winning_series := v_balance.won;
    v_row.longest_losing_series := v_balance.lost;
    v_row.turnover := v_m.volume;

    IF v_why_returns IS NULL THEN
        v_growth := power(v_m.growth, round(p_periods_per_year, 30) / v_m.observations) - 1;
    END IF;

    -- Each figure once: its name, why it is not known, and else its value.
    SELECT
        jsonb_populate_record(
            v_row, jsonb_object_agg(f.name, f.value) FILTER (WHERE f.reason IS NULL)
        ) AS figures,
        jsonb_object_agg(f.name, f.reason) FILTER (WHERE f.reason IS NOT NULL) AS reasons
    INTO v_f
    FROM (
        VALUES
        ('currency', v_why_currency, to_jsonb(v_m.currency)),
        ('opening_balance', v_why_opening, to_jsonb(v_m.opening)),
        ('total_profit', v_why_money, to_jsonb(v_m.net)),
        ('gross_profit', v_why_money, to_jsonb(v_m.gross_profit)),
        ('gross_loss', v_why_money, to_jsonb(v_m.gross_loss)),
        ('commission', v_why_money, to_jsonb(v_m.commission)),
        ('swap', v_why_money, to_jsonb(v_m.swap)),
        ('fees', 'not_recorded', NULL),
        ('win_rate', v_why_counted, to_jsonb(100 * round(v_m.won, 30) / nullif(v_m.trades, 0))),
        ('average_holding_time', v_why_counted, to_jsonb(v_m.held)),
        ('average_profit', v_why_traded, to_jsonb(round(v_m.net, 30) / nullif(v_m.trades, 0))),
        ('max_profit', v_why_traded, to_jsonb(v_m.best)),
        ('max_loss', v_why_traded, to_jsonb(v_m.worst)),
        ('average_win', v_why_won, to_jsonb(round(v_m.gross_profit, 30) / nullif(v_m.won, 0))),
        ('longest_winning_series_profit', v_why_won, to_jsonb(v_balance.won_money)),
        ('average_loss', v_why_lost, to_jsonb(round(v_m.gross_loss, 30) / nullif(v_m.lost, 0))),
        ('longest_losing_series_loss', v_why_lost, to_jsonb(v_balance.lost_money)),
        (
            'profit_factor', v_why_lost,
            to_jsonb(round(v_m.gross_profit, 30) / nullif(-v_m.gross_loss, 0))
        ),
        (
            'payoff_ratio', coalesce(v_why_lost, v_why_won),
            to_jsonb(round(v_m.gross_profit, 30) * v_m.lost / nullif(-v_m.gross_loss * v_m.won, 0))
        ),
        ('max_drawdown', v_why_traded, to_jsonb(v_balance.money[2])),
        (
            'recovery_factor',
            coalesce(v_why_traded, CASE WHEN v_balance.money[2] = 0 THEN 'no_drawdown' END),
            to_jsonb(round(v_m.net, 30) / nullif(v_balance.money[2], 0))
        ),
        ('time_under_water', v_why_traded, to_jsonb(v_balance.under_water)),
        ('annual_return', v_why_returns, to_jsonb(v_growth)),
        ('max_drawdown_percent', v_why_returns, to_jsonb(100 * v_m.fall)),
        (
            'calmar_ratio', coalesce(v_why_returns, CASE WHEN v_m.fall = 0 THEN 'no_drawdown' END),
            to_jsonb(v_growth / nullif(v_m.fall, 0))
        ),
        (
            'sharpe_ratio', coalesce(v_why_spread, CASE WHEN v_m.constant THEN 'zero_variance' END),
            to_jsonb(round(v_m.excess / nullif(v_m.deviation, 0) * v_root, 24))
        ),
        (
            'sortino_ratio',
            coalesce(v_why_spread, CASE WHEN v_m.downside IS NULL THEN 'no_losses' END),
            to_jsonb(round(v_m.excess / v_m.downside * v_root, 24))
        )
        UNION ALL
        SELECT
            format('%s_drawdown_%s%s', c.curve, k.kind, g.suffix),
            g.reason,
            g.value
        FROM (
            VALUES
            (
                'balance', v_why_traded, v_why_based, v_balance.money, v_balance.percent,
                v_balance.started_at, v_balance.trough_at, v_balance.recovered_at
            ),
            (
                'equity', v_why_equity, v_why_equity_based, v_equity.money, v_equity.percent,
                v_equity.started_at, v_equity.trough_at, v_equity.recovered_at
            )
        ) AS c (curve, why, why_based, money, percent, started_at, trough_at, recovered_at)
        CROSS JOIN (
            VALUES (1, 'absolute', FALSE), (2, 'maximal', FALSE), (3, 'relative', TRUE)
        ) AS k (i, kind, by_percent)
        -- the relative one is found by percent, without which nothing of it is known
        CROSS JOIN LATERAL (
            SELECT
                CASE WHEN k.by_percent THEN c.why_based ELSE c.why END AS money,
                coalesce(
                    CASE WHEN k.by_percent THEN c.why_based ELSE c.why END,
                    CASE WHEN c.money[k.i] = 0 THEN 'no_drawdown' END
                ) AS times
        ) AS y
        CROSS JOIN LATERAL (
            VALUES
            ('', y.money, to_jsonb(c.money[k.i])),
            ('_percent', c.why_based, to_jsonb(c.percent[k.i])),
            ('_started_at', y.times, to_jsonb(c.started_at[k.i])),
            ('_trough_at', y.times, to_jsonb(c.trough_at[k.i])),
            (
                '_recovered_at',
                coalesce(y.times, CASE WHEN c.recovered_at[k.i] IS NULL THEN 'not_recovered' END),
                to_jsonb(c.recovered_at[k.i])
            )
        ) AS g (suffix, reason, value)
    ) AS f (name, reason, value);
    v_row := v_f.figures;
    v_row.reasons := v_f.reasons;
    RETURN NEXT v_row;
END
$$;
COMMENT ON FUNCTION public.measure_performance(
    bigint, bigint, bigint, bigint, boolean, timestamptz, timestamptz, numeric, numeric, numeric
) IS
'One row of performance_metrics, not stored: the results of a user (strategy NULL) or strategy, of
all accounts, one account, or (p_all_accounts FALSE, p_account_id NULL) the orders that name none.
p_id becomes its id. Raises RB070; other arguments are checked by calculate_performance_metrics.';
REVOKE ALL ON FUNCTION public.measure_performance(
    bigint, bigint, bigint, bigint, boolean, timestamptz, timestamptz, numeric, numeric, numeric
) FROM public;
