-- 3520_measure_performance.sql: every figure of performance_metrics for one group and period.
-- needs: schema/0510_performance_measures.sql, schema/0520_performance_drawdowns.sql,
--        views/3510_account_states.sql
-- transaction: yes

CALL deploy.become_owner();

-- One pass over one group: its trades are sorted once, all windows share that order, and no join
-- has two large sides, so that cost is linear and memory that of one group. docs/performance.md
-- gives each formula. One statement reads everything: orders written meanwhile are in all figures
-- or in none.
-- jit would cost more than the calculation. STABLE: all statements see the caller's snapshot.
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
AS $$
DECLARE
    v_daily_risk_free numeric := power(1 + round(p_risk_free, 30), 1 / round(p_periods_per_year, 30))
        - 1;
    v_root numeric := sqrt(round(p_periods_per_year, 30));
    v_m record; -- what was measured
    v_f record; -- what is answered
    v_row public.performance_metrics;
    v_growth numeric;
    -- why figures of a kind are not known: the most general reason that applies
    v_counted text;
    v_money text;
    v_traded text;
    v_currency text;
    v_won text;
    v_lost text;
    v_opening text;
    v_based text;
    v_returns text;
    v_spread text;
    v_equity text;
    v_equity_based text;
BEGIN
    WITH trades AS MATERIALIZED (
        SELECT
            o.id,
            o.account_id,
            o.closed_at AS at,
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
        WHERE o.strategy_id = p_strategy_id
            AND o.user_id = p_user_id
            AND o.closed_at >= p_period_start AND o.closed_at < p_period_end
            AND o.close_price IS NOT NULL
            AND (p_all_accounts OR o.account_id IS NOT DISTINCT FROM p_account_id)
    ),

    counted AS MATERIALIZED (
        SELECT
            count(*) AS trades,
            count(*) FILTER (WHERE t.net > 0) AS won,
            count(*) FILTER (WHERE t.net < 0) AS lost,
            coalesce(sum(t.net), 0) AS net,
            coalesce(sum(t.net) FILTER (WHERE t.net > 0), 0) AS gross_profit,
            max(t.net) AS best,
            min(t.net) AS worst,
            avg(t.held) AS held,
            coalesce(sum(t.volume), 0) AS volume,
            coalesce(sum(t.commission), 0) AS commission,
            coalesce(sum(t.swap), 0) AS swap,
            array_agg(DISTINCT t.account_id) AS account_ids
        FROM trades AS t
    ),

    -- the accounts that were traded; for a user who did not trade, all
    accounts AS MATERIALIZED (
        SELECT
            a.id,
            a.currency,
            CASE WHEN p_initial_balance IS NULL
                THEN public.find_account_balance(a.id, p_period_start)
            END AS balance
        FROM public.mt5_accounts AS a
        CROSS JOIN counted AS c
        WHERE a.user_id = p_user_id
            AND CASE
                WHEN c.trades > 0 THEN a.id = ANY (c.account_ids)
                ELSE p_strategy_id IS NULL AND (p_all_accounts OR a.id = p_account_id)
            END
    ),

    -- orders without an account have a currency nobody knows
    currencies AS MATERIALIZED (
        SELECT
            count(DISTINCT a.currency)
            + coalesce((array_position(c.account_ids, NULL) IS NOT NULL)::integer, 0) > 1 AS mixed,
            coalesce(array_position(c.account_ids, NULL) IS NOT NULL, FALSE) AS nameless,
            min(a.currency) AS currency,
            sum(a.balance) AS balance,
            count(a.balance) = count(*) AS balances_known
        FROM counted AS c
        LEFT JOIN accounts AS a ON TRUE
        GROUP BY c.account_ids
    ),

    basics AS MATERIALIZED (
        SELECT
            c.mixed,
            CASE WHEN NOT c.mixed AND NOT c.nameless THEN c.currency END AS currency,
            CASE
                WHEN c.mixed THEN NULL
                WHEN p_initial_balance IS NOT NULL THEN p_initial_balance
                WHEN c.balances_known AND NOT c.nameless THEN c.balance
            END AS opening
        FROM currencies AS c
    ),

    -- Deposits and withdrawals are the user's, a strategy has none.
    operations AS MATERIALIZED (
        SELECT
            a.id AS account_id,
            o.id,
            o.occurred_at AS at,
            o.amount
        FROM accounts AS a
        INNER JOIN public.balance_operations AS o ON a.id = o.account_id
        CROSS JOIN basics AS s
        WHERE p_strategy_id IS NULL
            AND NOT s.mixed
            AND o.occurred_at >= p_period_start AND o.occurred_at < p_period_end
    ),

    -- Equity of each account: the last snapshot before the period, and those within. Operations are
    -- summed into the next snapshot, which shows them first.
    states AS (
        SELECT
            a.id AS account_id,
            f.taken_at AS at,
            f.equity,
            NULL::numeric AS amount
        FROM accounts AS a
        CROSS JOIN basics AS s
        CROSS JOIN LATERAL public.find_account_state(a.id, p_period_start) AS f
        WHERE p_strategy_id IS NULL AND s.currency IS NOT NULL AND f.taken_at IS NOT NULL
        UNION ALL
        SELECT
            a.id,
            f.timestamp,
            f.equity,
            NULL
        FROM accounts AS a
        CROSS JOIN basics AS s
        INNER JOIN public.account_states AS f ON a.id = f.account_id
        WHERE p_strategy_id IS NULL AND s.currency IS NOT NULL
            AND f.timestamp >= p_period_start AND f.timestamp < p_period_end
        UNION ALL
        SELECT
            o.account_id,
            o.at,
            NULL,
            o.amount
        FROM operations AS o
    ),

    states_with_operations AS (
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
            ) AS booked
        FROM states AS s
    ),

    -- without a predecessor: the account's first equity, which the curve starts from
    state_changes AS MATERIALIZED (
        SELECT
            s.at,
            s.equity,
            s.equity - lag(s.equity) OVER w - (s.booked - lag(s.booked) OVER w) AS change,
            s.booked - lag(s.booked) OVER w AS booked,
            row_number() OVER w AS number
        FROM states_with_operations AS s
        WHERE s.equity IS NOT NULL
        WINDOW w AS (PARTITION BY s.account_id ORDER BY s.at)
    ),

    starts AS MATERIALIZED (
        SELECT
            'balance' AS curve,
            s.opening AS value,
            p_period_start AS at
        FROM basics AS s
        UNION ALL
        SELECT
            'equity',
            sum(s.equity),
            greatest(min(s.at), p_period_start)
        FROM state_changes AS s
        WHERE s.number = 1
    ),

    -- Both curves as changes: results in money, and what was booked without a result.
    events AS MATERIALIZED (
        SELECT
            'balance' AS curve,
            t.at,
            TRUE AS is_point,
            t.id,
            t.net,
            0::numeric AS booked
        FROM trades AS t
        UNION ALL
        SELECT
            'balance',
            o.at,
            FALSE,
            o.id,
            0,
            o.amount
        FROM operations AS o
        UNION ALL
        SELECT
            'equity',
            s.at,
            TRUE,
            0,
            s.change,
            s.booked
        FROM state_changes AS s
        WHERE s.number > 1
    ),

    running AS (
        SELECT
            v.curve,
            v.at,
            v.is_point,
            v.id,
            v.net,
            sum(v.net) OVER w AS result,
            sum(v.booked) OVER w AS booked,
            -- constant within a series of wins, and within one of losses
            count(*) FILTER (WHERE v.is_point AND v.net <= 0) OVER w AS not_won,
            count(*) FILTER (WHERE v.is_point AND v.net >= 0) OVER w AS not_lost
        FROM events AS v
        WINDOW w AS (
            PARTITION BY v.curve
            ORDER BY v.at, v.is_point, v.id
            ROWS UNBOUNDED PRECEDING
        )
    ),

    highs AS (
        SELECT
            r.curve,
            r.at,
            r.is_point,
            r.id,
            r.net,
            r.result,
            r.booked,
            r.not_won,
            r.not_lost,
            greatest(
                max(r.result) OVER (
                    PARTITION BY r.curve
                    ORDER BY r.at, r.is_point, r.id
                    ROWS UNBOUNDED PRECEDING
                ), 0
            ) AS high
        FROM running AS r
    ),

    -- an episode begins at each point that is at the high
    points AS MATERIALIZED (
        SELECT
            h.curve,
            h.at,
            h.is_point,
            h.net,
            h.result,
            h.booked,
            h.not_won,
            h.not_lost,
            h.high,
            count(*) FILTER (WHERE h.is_point AND h.result = h.high) OVER (
                PARTITION BY h.curve
                ORDER BY h.at, h.is_point, h.id
                ROWS UNBOUNDED PRECEDING
            ) AS episode
        FROM highs AS h
    ),

    -- the base of percents is constant within a stretch
    stretches AS MATERIALIZED (
        SELECT
            p.curve,
            p.episode,
            p.booked,
            min(p.at) FILTER (WHERE p.result = p.high) AS high_at,
            min(p.at) FILTER (WHERE p.result < p.high) AS below_at,
            max(p.at) AS last_at,
            max(p.high) - min(p.result) AS depth,
            min(p.result) AS lowest,
            max(s.value) + p.booked + max(p.high) AS base,
            max(s.value) + p.booked AS start_base
        FROM points AS p
        INNER JOIN starts AS s ON p.curve = s.curve
        WHERE p.is_point
        GROUP BY p.curve, p.episode, p.booked
    ),

    percents AS MATERIALIZED (
        SELECT
            s.curve,
            s.episode,
            s.booked,
            s.high_at,
            s.below_at,
            s.last_at,
            s.depth,
            s.lowest,
            s.base,
            s.start_base,
            CASE WHEN s.base > 0 THEN round(s.depth, 30) / s.base * 100 END AS percent
        FROM stretches AS s
    ),

    episodes AS MATERIALIZED (
        SELECT
            p.curve,
            p.episode,
            min(p.high_at) AS high_at,
            min(p.below_at) AS below_at,
            lead(min(p.high_at)) OVER w AS recovered_at
        FROM percents AS p
        GROUP BY p.curve, p.episode
        WINDOW w AS (PARTITION BY p.curve ORDER BY p.episode)
    ),

    extremes AS MATERIALIZED (
        SELECT
            p.curve,
            max(p.depth) AS depth,
            max(p.percent) AS percent,
            min(p.lowest) AS lowest,
            bool_or(p.base <= 0 OR p.start_base <= 0) AS not_positive
        FROM percents AS p
        GROUP BY p.curve
    ),

    -- of equally deep ones the first
    chosen AS MATERIALIZED (
        SELECT DISTINCT ON (x.curve, k.kind)
            x.curve,
            k.kind,
            p.episode,
            p.booked,
            p.depth,
            CASE WHEN k.kind = 1 THEN greatest(-p.lowest, 0) ELSE p.depth END AS money,
            CASE
                WHEN k.kind > 1 THEN p.percent
                WHEN p.start_base > 0
                THEN round(greatest(-p.lowest, 0), 30) / p.start_base * 100
            END AS percent
        FROM extremes AS x
        CROSS JOIN generate_series(1, 3) AS k (kind)
        INNER JOIN percents AS p
            ON x.curve = p.curve
            AND CASE k.kind
                WHEN 1 THEN p.lowest = x.lowest
                WHEN 2 THEN p.depth = x.depth
                ELSE p.percent IS NOT DISTINCT FROM x.percent
            END
        ORDER BY x.curve, k.kind, p.episode, p.last_at
    ),

    troughs AS MATERIALIZED (
        SELECT
            c.curve,
            c.kind,
            min(p.at) AS at
        FROM chosen AS c
        INNER JOIN points AS p
            ON c.curve = p.curve AND c.episode = p.episode AND c.booked = p.booked
        WHERE p.is_point AND p.high - p.result = c.depth
        GROUP BY c.curve, c.kind
    ),

    drawdowns AS MATERIALIZED (
        SELECT
            c.curve,
            array_agg(c.money ORDER BY c.kind) AS money,
            array_agg(c.percent ORDER BY c.kind) AS percent,
            array_agg(
                CASE c.kind WHEN 1 THEN s.at ELSE coalesce(e.high_at, s.at) END
                ORDER BY c.kind
            ) AS started_at,
            array_agg(t.at ORDER BY c.kind) AS trough_at,
            array_agg(
                CASE c.kind
                    WHEN 1 THEN (
                        SELECT min(p.at)
                        FROM points AS p
                        WHERE p.curve = c.curve AND p.is_point AND p.at >= t.at AND p.result >= 0
                            AND c.money > 0
                    )
                    ELSE e.recovered_at
                END
                ORDER BY c.kind
            ) AS recovered_at,
            bool_or(x.not_positive) AS not_positive
        FROM chosen AS c
        INNER JOIN troughs AS t ON c.curve = t.curve AND c.kind = t.kind
        INNER JOIN episodes AS e ON c.curve = e.curve AND c.episode = e.episode
        INNER JOIN starts AS s ON c.curve = s.curve
        INNER JOIN extremes AS x ON c.curve = x.curve
        GROUP BY c.curve
    ),

    series AS MATERIALIZED (
        SELECT
            p.net > 0 AS won,
            count(*) AS trades,
            sum(p.net) AS money
        FROM points AS p
        WHERE p.curve = 'balance' AND p.is_point AND p.net <> 0
        GROUP BY p.net > 0, CASE WHEN p.net > 0 THEN p.not_won ELSE p.not_lost END
    ),

    longest AS (
        SELECT
            max(s.trades) FILTER (WHERE s.won) AS won,
            max(s.trades) FILTER (WHERE NOT s.won) AS lost
        FROM series AS s
    ),

    longest_series AS MATERIALIZED (
        SELECT
            coalesce(max(s.trades) FILTER (WHERE s.won), 0) AS won_trades,
            max(s.money) FILTER (WHERE s.won AND s.trades = l.won) AS won_money,
            coalesce(max(s.trades) FILTER (WHERE NOT s.won), 0) AS lost_trades,
            min(s.money) FILTER (WHERE NOT s.won AND s.trades = l.lost) AS lost_money
        FROM series AS s
        CROSS JOIN longest AS l
    ),

    -- every UTC day of the period, whether something was closed or not
    days AS (
        SELECT
            d.day,
            sum(d.net) AS net,
            sum(d.booked) AS booked
        FROM (
            SELECT
                date_bin('1 day', v.at, '2000-01-01 00:00+00') AS day,
                v.net,
                v.booked
            FROM events AS v
            WHERE v.curve = 'balance'
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
            s.opening + sum(d.net) OVER w + sum(d.booked) OVER w AS closing
        FROM days AS d
        CROSS JOIN basics AS s
        WINDOW w AS (ORDER BY d.day ROWS UNBOUNDED PRECEDING)
    ),

    -- Growth is the closing balance in units of what was put in: it grows by the product of
    -- 1 + return, and rounding does not add up. 24 decimals make equal returns equal.
    returns AS (
        SELECT
            r.day,
            r.closing,
            r.closing - r.net AS opening,
            CASE
                WHEN r.net = 0 THEN 0
                ELSE round(round(r.net, 24) / nullif(r.closing - r.net, 0), 24)
            END AS value,
            sum(
                CASE
                    WHEN r.booked <> 0 AND r.day > p_period_start
                        AND r.closing - r.net > 0 AND r.closing - r.net - r.booked > 0
                    THEN ln(round(r.closing - r.net, 30) / (r.closing - r.net - r.booked))
                END
            ) OVER (ORDER BY r.day ROWS UNBOUNDED PRECEDING) AS put_in
        FROM balances AS r
    ),

    growth AS (
        SELECT
            r.day,
            r.value,
            r.opening,
            r.closing,
            CASE WHEN r.put_in IS NULL THEN r.closing ELSE r.closing / exp(r.put_in) END AS units,
            first_value(r.opening) OVER (ORDER BY r.day ROWS UNBOUNDED PRECEDING) AS start
        FROM returns AS r
    ),

    falls AS (
        SELECT
            g.day,
            g.value,
            g.opening,
            g.closing,
            g.units,
            g.start,
            greatest(max(g.units) OVER (ORDER BY g.day ROWS UNBOUNDED PRECEDING), g.start) AS high
        FROM growth AS g
    ),

    daily AS MATERIALIZED (
        SELECT
            count(*) AS observations,
            avg(f.value) AS mean,
            stddev_samp(f.value) AS deviation,
            min(f.value) = max(f.value) AS constant,
            sqrt(
                sum(least(f.value - v_daily_risk_free, 0) * least(f.value - v_daily_risk_free, 0))
                / count(*)
            ) AS downside,
            least(min(f.opening), min(f.closing)) AS lowest,
            max(
                CASE
                    WHEN f.units < f.high AND f.high > 0
                    THEN round(f.high - f.units, 30) / f.high
                    ELSE 0
                END
            ) AS fall,
            round((array_agg(f.units ORDER BY f.day DESC))[1], 30)
            / nullif(max(f.start), 0) AS growth
        FROM falls AS f
    )

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
        s.mixed,
        s.currency,
        s.opening,
        l.won_trades,
        l.won_money,
        l.lost_trades,
        l.lost_money,
        d.observations,
        d.mean - v_daily_risk_free AS excess,
        d.deviation,
        d.constant,
        d.downside,
        d.lowest,
        d.fall,
        d.growth,
        (
            SELECT sum(coalesce(p.recovered_at, least(p_period_end, now())) - p.below_at)
            FROM episodes AS p
            WHERE p.curve = 'balance'
        ) AS under_water,
        b.money AS balance_money,
        b.percent AS balance_percent,
        b.started_at AS balance_started_at,
        b.trough_at AS balance_trough_at,
        b.recovered_at AS balance_recovered_at,
        b.not_positive AS balance_not_positive,
        e.money AS equity_money,
        e.percent AS equity_percent,
        e.started_at AS equity_started_at,
        e.trough_at AS equity_trough_at,
        e.recovered_at AS equity_recovered_at,
        e.not_positive AS equity_not_positive
    INTO v_m
    FROM counted AS c
    CROSS JOIN basics AS s
    CROSS JOIN longest_series AS l
    CROSS JOIN daily AS d
    LEFT JOIN drawdowns AS b ON b.curve = 'balance'
    LEFT JOIN drawdowns AS e ON e.curve = 'equity';

    v_money := CASE WHEN v_m.mixed THEN 'mixed_currency' END;
    v_counted := CASE WHEN v_m.trades = 0 THEN 'no_trades' END;
    v_traded := coalesce(v_counted, v_money);
    v_currency := coalesce(
        v_money, CASE WHEN v_m.currency IS NULL THEN coalesce(v_counted, 'no_account') END
    );
    v_won := coalesce(v_traded, CASE WHEN v_m.won = 0 THEN 'no_wins' END);
    v_lost := coalesce(v_traded, CASE WHEN v_m.lost = 0 THEN 'no_losses' END);
    v_opening := coalesce(v_money, CASE WHEN v_m.opening IS NULL THEN 'no_balance' END);
    v_based := coalesce(
        v_traded, v_opening, CASE WHEN v_m.balance_not_positive THEN 'non_positive_balance' END
    );
    v_returns := coalesce(
        v_traded, v_opening, CASE WHEN v_m.lowest <= 0 THEN 'non_positive_balance' END
    );
    v_spread := coalesce(v_returns, CASE WHEN v_m.observations < 2 THEN 'too_few' END);
    v_equity := coalesce(v_money, CASE WHEN v_m.equity_money IS NULL THEN 'no_equity' END);
    v_equity_based := coalesce(
        v_equity, CASE WHEN v_m.equity_not_positive THEN 'non_positive_balance' END
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
    v_row.observations := CASE WHEN v_returns IS NULL THEN v_m.observations ELSE 0 END;
    v_row.total_trades := v_m.trades;
    v_row.winning_trades := v_m.won;
    v_row.losing_trades := v_m.lost;
    v_row.break_even_trades := v_m.trades - v_m.won - v_m.lost;
    v_row.longest_winning_series := v_m.won_trades;
    v_row.longest_losing_series := v_m.lost_trades;
    v_row.turnover := v_m.volume;

    IF v_returns IS NULL THEN
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
        ('currency', v_currency, to_jsonb(v_m.currency)),
        ('opening_balance', v_opening, to_jsonb(v_m.opening)),
        ('total_profit', v_money, to_jsonb(v_m.net)),
        ('gross_profit', v_money, to_jsonb(v_m.gross_profit)),
        ('gross_loss', v_money, to_jsonb(v_m.gross_loss)),
        ('commission', v_money, to_jsonb(v_m.commission)),
        ('swap', v_money, to_jsonb(v_m.swap)),
        ('fees', 'not_recorded', NULL),
        ('win_rate', v_counted, to_jsonb(100 * round(v_m.won, 30) / nullif(v_m.trades, 0))),
        ('average_holding_time', v_counted, to_jsonb(v_m.held)),
        ('average_profit', v_traded, to_jsonb(round(v_m.net, 30) / nullif(v_m.trades, 0))),
        ('expectancy', v_traded, to_jsonb(round(v_m.net, 30) / nullif(v_m.trades, 0))),
        ('max_profit', v_traded, to_jsonb(v_m.best)),
        ('max_loss', v_traded, to_jsonb(v_m.worst)),
        ('largest_win', v_won, to_jsonb(v_m.best)),
        ('average_win', v_won, to_jsonb(round(v_m.gross_profit, 30) / nullif(v_m.won, 0))),
        ('longest_winning_series_profit', v_won, to_jsonb(v_m.won_money)),
        ('largest_loss', v_lost, to_jsonb(v_m.worst)),
        ('average_loss', v_lost, to_jsonb(round(v_m.gross_loss, 30) / nullif(v_m.lost, 0))),
        ('longest_losing_series_loss', v_lost, to_jsonb(v_m.lost_money)),
        (
            'profit_factor', v_lost,
            to_jsonb(round(v_m.gross_profit, 30) / nullif(-v_m.gross_loss, 0))
        ),
        (
            'payoff_ratio', coalesce(v_lost, v_won),
            to_jsonb(round(v_m.gross_profit, 30) * v_m.lost / nullif(-v_m.gross_loss * v_m.won, 0))
        ),
        ('max_drawdown', v_traded, to_jsonb(v_m.balance_money[2])),
        (
            'recovery_factor',
            coalesce(v_traded, CASE WHEN v_m.balance_money[2] = 0 THEN 'no_drawdown' END),
            to_jsonb(round(v_m.net, 30) / nullif(v_m.balance_money[2], 0))
        ),
        ('time_under_water', v_traded, to_jsonb(coalesce(v_m.under_water, interval '0'))),
        ('annual_return', v_returns, to_jsonb(v_growth)),
        ('max_drawdown_percent', v_returns, to_jsonb(100 * v_m.fall)),
        (
            'calmar_ratio', coalesce(v_returns, CASE WHEN v_m.fall = 0 THEN 'no_drawdown' END),
            to_jsonb(v_growth / nullif(v_m.fall, 0))
        ),
        (
            'sharpe_ratio', coalesce(v_spread, CASE WHEN v_m.constant THEN 'zero_variance' END),
            to_jsonb(round(v_m.excess / nullif(v_m.deviation, 0) * v_root, 24))
        ),
        (
            'sortino_ratio', coalesce(v_spread, CASE WHEN v_m.downside = 0 THEN 'no_losses' END),
            to_jsonb(round(v_m.excess / nullif(v_m.downside, 0) * v_root, 24))
        )
        UNION ALL
        SELECT
            format('%s_drawdown_%s%s', c.curve, k.kind, g.suffix),
            g.reason,
            g.value
        FROM (
            VALUES
            (
                'balance', v_traded, v_based, v_m.balance_money, v_m.balance_percent,
                v_m.balance_started_at, v_m.balance_trough_at, v_m.balance_recovered_at
            ),
            (
                'equity', v_equity, v_equity_based, v_m.equity_money, v_m.equity_percent,
                v_m.equity_started_at, v_m.equity_trough_at, v_m.equity_recovered_at
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
