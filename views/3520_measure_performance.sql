-- 3520_measure_performance.sql: every figure of performance_metrics for one group and period.
-- needs: schema/0510_performance_measures.sql, schema/0520_performance_drawdowns.sql,
--        views/3510_account_states.sql
-- transaction: yes

CALL deploy.become_owner();

-- docs/performance.md gives each formula. One statement reads the group's trades once: sums and
-- days in SQL, then the trades in order to a loop that follows the balance (drawdowns, series).
-- Windows over windows instead of the loop took three times as long (10,000 orders: 110 ms against
-- 35), and under a generic plan their joins went square. Here nothing joins two large sets: cost is
-- linear; beyond work_mem the trades spill to disk.
-- STABLE and one statement: the caller's snapshot. An order written meanwhile is in all figures or
-- in none. jit would take longer than the calculation, and so would planning at each call: no set
-- of arguments wants another plan.
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
    -- The curves of equity (1) and balance (2), in the order of time: where each starts (kind 0),
    -- what was booked without a result (1), results (2). Curve 3 ends them and brings the sums.
    FOR v_event IN
        WITH trades AS MATERIALIZED (
            SELECT
                o.id,
                o.account_id,
                o.closed_at,
                o.closed_at - o.opened_at AS held,
                o.volume,
                o.commission,
                o.swap,
                o.profit + o.commission + o.swap AS net
            FROM public.trading_orders AS o
            WHERE p_strategy_id IS NULL
                AND o.user_id = p_user_id
                AND o.closed_at >= p_period_start AND o.closed_at < p_period_end
                AND o.close_price IS NOT NULL
                AND (p_all_accounts OR o.account_id IS NOT DISTINCT FROM p_account_id)
            UNION ALL
            SELECT
                o.id,
                o.account_id,
                o.closed_at,
                o.closed_at - o.opened_at,
                o.volume,
                o.commission,
                o.swap,
                o.profit + o.commission + o.swap
            FROM public.trading_orders AS o
            WHERE v_strategy_owned
                AND o.strategy_id = p_strategy_id
                AND o.closed_at >= p_period_start AND o.closed_at < p_period_end
                AND o.close_price IS NOT NULL
                AND (p_all_accounts OR o.account_id IS NOT DISTINCT FROM p_account_id)
        ),

        by_day AS MATERIALIZED (
            SELECT
                date_bin('1 day', t.closed_at, '2000-01-01 00:00+00') AS day,
                t.account_id,
                sum(t.net) AS net
            FROM trades AS t
            GROUP BY 1, 2
        ),

        traded_accounts AS (
            SELECT
                array_agg(DISTINCT d.account_id) AS ids,
                coalesce(bool_or(d.account_id IS NULL), FALSE) AS nameless
            FROM by_day AS d
        ),

        counted AS MATERIALIZED (
            SELECT
                count(*)::integer AS trades,
                (count(*) FILTER (WHERE t.net > 0))::integer AS won,
                (count(*) FILTER (WHERE t.net < 0))::integer AS lost,
                coalesce(sum(t.net), 0) AS net,
                coalesce(sum(t.net) FILTER (WHERE t.net > 0), 0) AS gross_profit,
                max(t.net) AS best,
                min(t.net) AS worst,
                avg(t.held) AS held,
                coalesce(sum(t.volume), 0) AS volume,
                coalesce(sum(t.commission), 0) AS commission,
                coalesce(sum(t.swap), 0) AS swap
            FROM trades AS t
        ),

        -- the accounts that were traded; for a user who did not trade, all
        accounts AS MATERIALIZED (
            SELECT
                a.id,
                a.currency,
                CASE
                    WHEN p_initial_balance IS NULL
                    THEN public.find_account_balance(a.id, p_period_start)
                END AS balance
            FROM public.mt5_accounts AS a
            CROSS JOIN traded_accounts AS t
            WHERE a.user_id = p_user_id
                AND CASE
                    WHEN t.ids IS NOT NULL THEN a.id = ANY (t.ids)
                    ELSE p_strategy_id IS NULL AND (p_all_accounts OR a.id = p_account_id)
                END
        ),

        -- orders without an account are in a currency that nobody knows
        currencies AS (
            SELECT
                count(DISTINCT a.currency) + t.nameless::integer > 1 AS mixed,
                CASE WHEN NOT t.nameless THEN min(a.currency) END AS currency,
                CASE WHEN count(a.balance) = count(*) AND NOT t.nameless THEN sum(a.balance) END
                    AS balance,
                array_agg(a.id) AS account_ids
            FROM traded_accounts AS t
            LEFT JOIN accounts AS a ON TRUE
            GROUP BY t.nameless
        ),

        basics AS MATERIALIZED (
            SELECT
                c.mixed,
                CASE WHEN NOT c.mixed THEN c.currency END AS currency,
                CASE WHEN NOT c.mixed THEN coalesce(p_initial_balance, c.balance) END AS opening,
                -- whose equity and operations count: a strategy has neither
                CASE
                    WHEN NOT c.mixed AND c.currency IS NOT NULL AND p_strategy_id IS NULL
                    THEN c.account_ids
                END AS account_ids
            FROM currencies AS c
        ),

        operations AS MATERIALIZED (
            SELECT
                a.id AS account_id,
                o.id,
                o.occurred_at AS at,
                o.amount
            FROM basics AS m
            CROSS JOIN unnest(m.account_ids) AS a (id)
            INNER JOIN public.balance_operations AS o ON a.id = o.account_id
            WHERE o.occurred_at >= p_period_start AND o.occurred_at < p_period_end
        ),

        -- every UTC day of the period, whether something was closed or not
        days AS (
            SELECT
                d.day,
                sum(d.net) AS net,
                sum(d.booked) AS booked
            FROM (
                SELECT
                    t.day,
                    t.net,
                    0 AS booked
                FROM by_day AS t
                UNION ALL
                SELECT
                    date_bin('1 day', o.at, '2000-01-01 00:00+00'),
                    0,
                    o.amount
                FROM operations AS o
                UNION ALL
                SELECT
                    g.day,
                    0,
                    0
                FROM generate_series(
                    date_bin('1 day', p_period_start, '2000-01-01 00:00+00'),
                    p_period_end - interval '1 microsecond',
                    interval '24 hours'
                ) AS g (day)
            ) AS d
            GROUP BY d.day
        ),

        balances AS (
            SELECT
                d.day,
                d.net,
                d.booked,
                s.opening + sum(d.net + d.booked) OVER (ORDER BY d.day ROWS UNBOUNDED PRECEDING)
                    AS closing
            FROM days AS d
            CROSS JOIN basics AS s
        ),

        -- 24 decimals make equal returns equal. put_in is the logarithm of what operations after
        -- the first day multiplied the balance by.
        returns AS (
            SELECT
                b.day,
                b.closing,
                b.closing - b.net AS opening,
                CASE
                    WHEN b.net = 0 THEN 0
                    ELSE round(round(b.net, 24) / nullif(b.closing - b.net, 0), 24)
                END AS value,
                sum(
                    CASE
                        WHEN b.booked <> 0 AND b.day > p_period_start
                            AND b.closing - b.net > 0 AND b.closing - b.net - b.booked > 0
                        THEN ln(round(b.closing - b.net, 30) / (b.closing - b.net - b.booked))
                    END
                ) OVER (ORDER BY b.day ROWS UNBOUNDED PRECEDING) AS put_in
            FROM balances AS b
        ),

        -- The closing balance in units of what was put in grows by the product of 1 + return,
        -- without the rounding of so many products.
        growth AS (
            SELECT
                r.day,
                r.value,
                r.opening,
                r.closing,
                CASE
                    WHEN r.put_in IS NULL THEN r.closing
                    ELSE round(r.closing / exp(r.put_in), 16) -- an operation alone is no fall
                END AS units,
                first_value(r.opening) OVER (ORDER BY r.day ROWS UNBOUNDED PRECEDING) AS start
            FROM returns AS r
        ),

        falls AS (
            SELECT
                g.day,
                g.value,
                g.value - v_daily_risk_free AS excess,
                g.opening,
                g.closing,
                g.units,
                g.start,
                greatest(
                    max(g.units) OVER (ORDER BY g.day ROWS UNBOUNDED PRECEDING), g.start
                ) AS high
            FROM growth AS g
        ),

        daily AS (
            SELECT
                count(*)::integer AS observations,
                avg(f.excess) AS excess,
                stddev_samp(f.value) AS deviation,
                min(f.value) = max(f.value) AS constant,
                sqrt(sum(f.excess * f.excess) FILTER (WHERE f.excess < 0) / count(*)) AS downside,
                least(min(f.opening), min(f.closing)) AS lowest,
                coalesce(
                    max(round(f.high - f.units, 30) / f.high)
                    FILTER (WHERE f.units < f.high AND f.high > 0), 0
                ) AS fall,
                round((array_agg(f.units ORDER BY f.day DESC))[1], 30)
                / nullif(max(f.start), 0) AS growth
            FROM falls AS f
        ),

        -- every sum of the trades and their days, on one row
        summary AS (
            SELECT
                c.trades,
                c.won,
                c.lost,
                c.net,
                c.gross_profit,
                c.net - c.gross_profit AS gross_loss,
                c.best,
                c.worst,
                c.held,
                c.volume,
                c.commission,
                c.swap,
                b.mixed,
                b.currency,
                b.opening,
                d.observations,
                d.excess,
                d.deviation,
                d.constant,
                d.downside,
                d.lowest,
                d.fall,
                d.growth
            FROM counted AS c
            CROSS JOIN basics AS b
            CROSS JOIN daily AS d
        ),

        states AS (
            SELECT
                a.id AS account_id,
                f.taken_at AS at,
                f.equity,
                NULL::numeric AS amount
            FROM basics AS m
            CROSS JOIN unnest(m.account_ids) AS a (id)
            CROSS JOIN LATERAL public.find_account_state(a.id, p_period_start) AS f
            WHERE f.taken_at IS NOT NULL
            UNION ALL
            SELECT
                a.id,
                f.timestamp,
                f.equity,
                NULL
            FROM basics AS m
            CROSS JOIN unnest(m.account_ids) AS a (id)
            INNER JOIN public.account_states AS f ON a.id = f.account_id
            WHERE f.timestamp >= p_period_start AND f.timestamp < p_period_end
            UNION ALL
            SELECT
                o.account_id,
                o.at,
                NULL,
                o.amount
            FROM operations AS o
        ),

        -- an operation shows in the account's next snapshot
        booked AS (
            SELECT
                s.account_id,
                s.at,
                s.equity,
                coalesce(
                    sum(s.amount) OVER (
                        PARTITION BY s.account_id
                        ORDER BY s.at, s.equity IS NOT NULL
                        ROWS UNBOUNDED PRECEDING
                    ), 0
                ) AS amount
            FROM states AS s
        ),

        -- the first equity known of an account is where its curve starts
        equities AS MATERIALIZED (
            SELECT
                b.at,
                b.equity,
                b.equity - lag(b.equity) OVER w AS change,
                b.amount - lag(b.amount) OVER w AS amount,
                row_number() OVER w AS number
            FROM booked AS b
            WHERE b.equity IS NOT NULL
            WINDOW w AS (PARTITION BY b.account_id ORDER BY b.at)
        )

        SELECT
            v.curve,
            v.at,
            v.kind,
            v.change,
            v.booked,
            v.summary,
            CASE WHEN v.change > 0 THEN 1 WHEN v.change < 0 THEN -1 ELSE 0 END AS side
        FROM (
            SELECT
                1 AS curve,
                '-infinity'::timestamptz AS at,
                0 AS kind,
                0::bigint AS id,
                sum(q.equity) AS change,
                NULL::numeric AS booked,
                NULL::jsonb AS summary
            FROM equities AS q
            WHERE q.number = 1
            HAVING count(*) > 0
            UNION ALL
            SELECT
                1,
                q.at,
                2,
                0,
                q.change - q.amount,
                nullif(q.amount, 0),
                NULL
            FROM equities AS q
            WHERE q.number > 1
            UNION ALL
            SELECT
                2,
                '-infinity',
                0,
                0,
                m.opening,
                NULL,
                NULL
            FROM basics AS m
            UNION ALL
            SELECT
                2,
                o.at,
                1,
                o.id,
                0,
                o.amount,
                NULL
            FROM operations AS o
            UNION ALL
            SELECT
                2,
                t.closed_at,
                2,
                t.id,
                t.net,
                NULL,
                NULL
            FROM trades AS t
            UNION ALL
            SELECT
                3,
                'infinity',
                0,
                0,
                0,
                NULL,
                to_jsonb(m)
            FROM summary AS m
        ) AS v
        ORDER BY v.curve, v.at, v.kind, v.id
    LOOP
        IF v_event.booked IS NOT NULL THEN
            v_booked := v_booked + v_event.booked;
            v_not_positive := v_not_positive OR v_start + v_booked <= 0;
            v_depth := 0; -- the same fall is another percentage from now on
            CONTINUE WHEN v_event.kind = 1;
        END IF;

        IF v_event.side <> v_side OR v_event.kind = 0 THEN
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
            IF v_below_at IS NULL THEN
                v_below_at := v_event.at;
            END IF;
            IF v_high - v_change > v_depth THEN
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
        ('expectancy', v_why_traded, to_jsonb(round(v_m.net, 30) / nullif(v_m.trades, 0))),
        ('max_profit', v_why_traded, to_jsonb(v_m.best)),
        ('max_loss', v_why_traded, to_jsonb(v_m.worst)),
        ('largest_win', v_why_won, to_jsonb(v_m.best)),
        ('average_win', v_why_won, to_jsonb(round(v_m.gross_profit, 30) / nullif(v_m.won, 0))),
        ('longest_winning_series_profit', v_why_won, to_jsonb(v_balance.won_money)),
        ('largest_loss', v_why_lost, to_jsonb(v_m.worst)),
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
p_id becomes its id. Arguments are not checked: calculate_performance_metrics does that.';
REVOKE ALL ON FUNCTION public.measure_performance(
    bigint, bigint, bigint, bigint, boolean, timestamptz, timestamptz, numeric, numeric, numeric
) FROM public;
