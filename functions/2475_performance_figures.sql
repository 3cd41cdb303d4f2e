-- 2475_performance_figures.sql: name, reason and value of each figure of performance_metrics.

CALL deploy.become_owner();

-- Each becomes a part of the query of measure_performance(), so none has a search_path of its own.
-- Each figure stands once: its name, the reason when unknown, else its value.

CREATE OR REPLACE FUNCTION public.find_performance_reasons(
    p_sums public.performance_sums,
    p_equity public.performance_curve,
    p_balance public.performance_curve
)
RETURNS TABLE (why jsonb)
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
ROWS 1
AS $$
    SELECT
        jsonb_build_object(
            'counted', r.counted,
            'money', r.money,
            'traded', coalesce(r.counted, r.money),
            'currency', coalesce(
                r.money,
                CASE WHEN p_sums.currency IS NULL THEN coalesce(r.counted, 'no_account') END
            ),
            'won', coalesce(
                r.counted, r.money, CASE WHEN p_sums.won = 0 THEN 'no_wins' END
            ),
            'lost', coalesce(
                r.counted, r.money, CASE WHEN p_sums.lost = 0 THEN 'no_losses' END
            ),
            'opening', coalesce(r.money, r.opening),
            'balance', coalesce(r.counted, r.money),
            'balance_percent', coalesce(
                r.counted, r.money, r.opening,
                CASE WHEN p_balance.not_positive THEN 'non_positive_balance' END
            ),
            'returns', coalesce(
                r.counted, r.money, r.opening,
                CASE WHEN p_sums.lowest <= 0 THEN 'non_positive_balance' END
            ),
            'spread', coalesce(
                r.counted, r.money, r.opening,
                CASE
                    WHEN p_sums.lowest <= 0 THEN 'non_positive_balance'
                    WHEN p_sums.observations < 2 THEN 'too_few'
                END
            ),
            'equity', coalesce(
                r.money, CASE WHEN p_equity.known IS NOT TRUE THEN 'no_equity' END
            ),
            'equity_percent', coalesce(
                r.money,
                CASE
                    WHEN p_equity.known IS NOT TRUE THEN 'no_equity'
                    WHEN p_equity.not_positive THEN 'non_positive_balance'
                END
            )
        )
    FROM (
        SELECT
            CASE WHEN p_sums.trades = 0 THEN 'no_trades' END AS counted,
            CASE WHEN p_sums.mixed THEN 'mixed_currency' END AS money,
            CASE WHEN p_sums.opening IS NULL THEN 'no_balance' END AS opening
    ) AS r
$$;
COMMENT ON FUNCTION public.find_performance_reasons(
    public.performance_sums, public.performance_curve, public.performance_curve
) IS
'Reasons for unknown figures of a kind: kind and the most general reason that applies, else null.';
REVOKE ALL ON FUNCTION public.find_performance_reasons(
    public.performance_sums, public.performance_curve, public.performance_curve
) FROM public;

CREATE OR REPLACE FUNCTION public.list_trade_figures(
    p_sums public.performance_sums,
    p_balance public.performance_curve,
    p_why jsonb
)
RETURNS TABLE (name text, reason text, value jsonb)
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    VALUES
    ('currency', p_why ->> 'currency', to_jsonb(p_sums.currency)),
    ('opening_balance', p_why ->> 'opening', to_jsonb(p_sums.opening)),
    ('total_profit', p_why ->> 'money', to_jsonb(p_sums.net)),
    ('gross_profit', p_why ->> 'money', to_jsonb(p_sums.gross_profit)),
    ('gross_loss', p_why ->> 'money', to_jsonb(p_sums.gross_loss)),
    ('commission', p_why ->> 'money', to_jsonb(p_sums.commission)),
    ('swap', p_why ->> 'money', to_jsonb(p_sums.swap)),
    ('fees', 'not_recorded', NULL),
    (
        'win_rate', p_why ->> 'counted',
        to_jsonb(public.exact_ratio(100 * p_sums.won, p_sums.trades))
    ),
    ('average_holding_time', p_why ->> 'counted', to_jsonb(p_sums.held)),
    (
        'average_profit', p_why ->> 'traded',
        to_jsonb(public.exact_ratio(p_sums.net, p_sums.trades))
    ),
    ('max_profit', p_why ->> 'traded', to_jsonb(p_sums.best)),
    ('max_loss', p_why ->> 'traded', to_jsonb(p_sums.worst)),
    (
        'average_win', p_why ->> 'won',
        to_jsonb(public.exact_ratio(p_sums.gross_profit, p_sums.won))
    ),
    ('longest_winning_series_profit', p_why ->> 'won', to_jsonb(p_balance.won_money)),
    (
        'average_loss', p_why ->> 'lost',
        to_jsonb(public.exact_ratio(p_sums.gross_loss, p_sums.lost))
    ),
    ('longest_losing_series_loss', p_why ->> 'lost', to_jsonb(p_balance.lost_money)),
    (
        'profit_factor', p_why ->> 'lost',
        to_jsonb(public.exact_ratio(p_sums.gross_profit, -p_sums.gross_loss))
    ),
    (
        'payoff_ratio', coalesce(p_why ->> 'lost', p_why ->> 'won'),
        to_jsonb(
            round(p_sums.gross_profit, 30) * p_sums.lost
            / nullif(-p_sums.gross_loss * p_sums.won, 0)
        )
    ),
    ('time_under_water', p_why ->> 'traded', to_jsonb(p_balance.under_water)),
    ('max_drawdown', p_why ->> 'traded', to_jsonb((p_balance.maximal).money)),
    (
        'recovery_factor',
        coalesce(
            p_why ->> 'traded', CASE WHEN (p_balance.maximal).money = 0 THEN 'no_drawdown' END
        ),
        to_jsonb(public.exact_ratio(p_sums.net, (p_balance.maximal).money))
    )
$$;
COMMENT ON FUNCTION public.list_trade_figures(
    public.performance_sums, public.performance_curve, jsonb
) IS
'Figures of performance_metrics that are sums of trades; p_why is from find_performance_reasons.';
REVOKE ALL ON FUNCTION public.list_trade_figures(
    public.performance_sums, public.performance_curve, jsonb
) FROM public;

-- 24 decimals of the two ratios: two roots and their product are not exact beyond these.
CREATE OR REPLACE FUNCTION public.list_return_figures(
    p_sums public.performance_sums,
    p_periods_per_year numeric,
    p_why jsonb
)
RETURNS TABLE (name text, reason text, value jsonb)
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT f.name, f.reason, f.value
    FROM (
        SELECT
            sqrt(round(p_periods_per_year, 30)) AS root,
            CASE
                WHEN p_why ->> 'returns' IS NULL
                THEN power(p_sums.growth, round(p_periods_per_year, 30) / p_sums.observations) - 1
            END AS growth
    ) AS y
    CROSS JOIN LATERAL (
        VALUES
        (
            'observations', NULL,
            to_jsonb(CASE WHEN p_why ->> 'returns' IS NULL THEN p_sums.observations ELSE 0 END)
        ),
        ('annual_return', p_why ->> 'returns', to_jsonb(y.growth)),
        ('max_drawdown_percent', p_why ->> 'returns', to_jsonb(100 * p_sums.fall)),
        (
            'calmar_ratio',
            coalesce(p_why ->> 'returns', CASE WHEN p_sums.fall = 0 THEN 'no_drawdown' END),
            to_jsonb(y.growth / nullif(p_sums.fall, 0))
        ),
        (
            'sharpe_ratio',
            coalesce(p_why ->> 'spread', CASE WHEN p_sums.constant THEN 'zero_variance' END),
            to_jsonb(round(p_sums.excess / nullif(p_sums.deviation, 0) * y.root, 24))
        ),
        (
            'sortino_ratio',
            coalesce(p_why ->> 'spread', CASE WHEN p_sums.downside IS NULL THEN 'no_losses' END),
            to_jsonb(round(p_sums.excess / p_sums.downside * y.root, 24))
        )
    ) AS f (name, reason, value)
$$;
COMMENT ON FUNCTION public.list_return_figures(public.performance_sums, numeric, jsonb) IS
'Figures of performance_metrics that daily returns are measured by, annualised; p_why is from
find_performance_reasons.';
REVOKE ALL ON FUNCTION public.list_return_figures(
    public.performance_sums, numeric, jsonb
) FROM public;

CREATE OR REPLACE FUNCTION public.list_drawdown_figures(
    p_curve text,
    p_found public.performance_curve,
    p_why jsonb
)
RETURNS TABLE (name text, reason text, value jsonb)
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT
        format('%s_drawdown_%s%s', p_curve, d.kind, g.suffix),
        g.reason,
        g.value
    FROM (
        -- the relative drawdown is found by percent, and unknown without
        VALUES
        ('absolute', p_found.absolute, p_why ->> p_curve),
        ('maximal', p_found.maximal, p_why ->> p_curve),
        ('relative', p_found.relative, p_why ->> (p_curve || '_percent'))
    ) AS d (kind, fall, why)
    CROSS JOIN LATERAL (
        SELECT
            coalesce(d.why, CASE WHEN (d.fall).money = 0 THEN 'no_drawdown' END) AS times,
            CASE WHEN (d.fall).recovered_at IS NULL THEN 'not_recovered' END AS recovery
    ) AS y
    CROSS JOIN LATERAL (
        VALUES
        ('', d.why, to_jsonb((d.fall).money)),
        ('_percent', p_why ->> (p_curve || '_percent'), to_jsonb((d.fall).percent)),
        ('_started_at', y.times, to_jsonb((d.fall).started_at)),
        ('_trough_at', y.times, to_jsonb((d.fall).trough_at)),
        ('_recovered_at', coalesce(y.times, y.recovery), to_jsonb((d.fall).recovered_at))
    ) AS g (suffix, reason, value)
$$;
COMMENT ON FUNCTION public.list_drawdown_figures(text, public.performance_curve, jsonb) IS
'The three drawdowns of a curve (balance or equity) as figures of performance_metrics; p_why is from
find_performance_reasons.';
REVOKE ALL ON FUNCTION
public.list_drawdown_figures(text, public.performance_curve, jsonb) FROM public;
