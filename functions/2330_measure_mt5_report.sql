-- 2330_measure_mt5_report.sql: results of deals by the definitions of the terminal's report.
-- needs: schema/0330_trading_deals.sql, schema/0300_mt5_codes.sql
-- transaction: yes

CALL deploy.become_owner();

-- The terminal counts each closing deal as a trade, with its own commission and swap; what opening
-- deals cost is part of the gross loss and of no trade. A trade of 0 is won. The curve has a point
-- for each deal that moves the balance, deposits too, but for a first deal that is none of a trade:
-- that is what the account begins with. Its Sharpe ratio is the mean of the trades' returns on the
-- balance just before each, by their population standard deviation, over no time at all.
CREATE OR REPLACE FUNCTION public.measure_mt5_report(
    p_account_id bigint,
    p_first_msc bigint,
    p_last_msc bigint,
    p_opening_balance numeric DEFAULT 0
)
RETURNS TABLE (figure text, value numeric)
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH deals AS (
        SELECT
            d.time_msc,
            d.ticket,
            d.type,
            d.type IN (0, 1) AS is_trade,
            d.type IN (0, 1) AND d.entry IN (1, 2, 3) AS closes,
            d.profit + d.commission + d.swap + d.fee AS money,
            row_number() OVER (ORDER BY d.time_msc, d.ticket) AS n
        FROM public.trading_deals AS d
        LEFT JOIN public.mt5_deal_types AS t ON d.type = t.code
        WHERE d.account_id = p_account_id
            AND d.time_msc BETWEEN p_first_msc AND p_last_msc
            AND coalesce(t.effect, 'balance') IN ('trade', 'balance')
    ),
    walked AS MATERIALIZED (
        SELECT
            d.*,
            p_opening_balance + sum(d.money) OVER (ORDER BY d.n) AS balance
        FROM deals AS d
    ),
    begun AS (
        SELECT coalesce(
            (SELECT w.balance FROM walked AS w WHERE w.n = 1 AND NOT w.is_trade),
            p_opening_balance
        ) AS balance
    ),
    falls AS (
        SELECT
            w.n,
            greatest(b.balance, max(w.balance) OVER (ORDER BY w.n)) AS high,
            greatest(b.balance, max(w.balance) OVER (ORDER BY w.n)) - w.balance AS fall,
            w.balance
        FROM walked AS w
        CROSS JOIN begun AS b
        WHERE w.n > 1 OR w.is_trade
    ),
    deepest AS (
        SELECT f.fall AS money, 100 * f.fall / nullif(f.high, 0) AS percent
        FROM falls AS f
        ORDER BY f.fall DESC, f.n
        LIMIT 1
    ),
    steepest AS (
        SELECT f.fall AS money, 100 * f.fall / f.high AS percent
        FROM falls AS f
        WHERE f.high > 0
        ORDER BY f.fall / f.high DESC, f.n
        LIMIT 1
    ),
    trades AS (
        SELECT
            w.n,
            w.money,
            w.money >= 0 AS is_won,
            w.type = 0 AS is_short, -- bought to close
            w.money / nullif(w.balance - w.money, 0) AS gain,
            row_number() OVER (ORDER BY w.n)
                - row_number() OVER (PARTITION BY w.money >= 0 ORDER BY w.n) AS series
        FROM walked AS w
        WHERE w.closes
    ),
    series AS (
        SELECT t.is_won, count(*) AS trades, sum(t.money) AS money, min(t.n) AS n
        FROM trades AS t
        GROUP BY t.is_won, t.series
    ),
    longest AS (
        SELECT DISTINCT ON (s.is_won) s.*
        FROM series AS s
        ORDER BY s.is_won, s.trades DESC, abs(s.money) DESC, s.n
    ),
    richest AS (
        SELECT DISTINCT ON (s.is_won) s.*
        FROM series AS s
        ORDER BY s.is_won, abs(s.money) DESC, s.trades DESC, s.n
    ),
    sums AS (
        SELECT
            coalesce(sum(w.money) FILTER (WHERE w.is_trade), 0) AS net,
            coalesce(sum(w.money) FILTER (WHERE w.is_trade AND w.money > 0), 0) AS profit,
            coalesce(sum(w.money) FILTER (WHERE w.is_trade AND w.money < 0), 0) AS loss
        FROM walked AS w
    ),
    counts AS (
        SELECT
            count(*) AS trades,
            count(*) FILTER (WHERE t.is_won) AS won,
            count(*) FILTER (WHERE NOT t.is_won) AS lost,
            count(*) FILTER (WHERE t.is_short) AS short,
            count(*) FILTER (WHERE t.is_short AND t.is_won) AS short_won,
            count(*) FILTER (WHERE NOT t.is_short) AS long,
            count(*) FILTER (WHERE NOT t.is_short AND t.is_won) AS long_won,
            coalesce(max(t.money) FILTER (WHERE t.is_won), 0) AS best,
            coalesce(min(t.money) FILTER (WHERE NOT t.is_won), 0) AS worst,
            avg(t.gain) / nullif(stddev_pop(t.gain), 0) AS sharpe
        FROM trades AS t
    )
    SELECT f.figure, f.value
    FROM sums AS s
    CROSS JOIN counts AS c
    CROSS JOIN begun AS b
    LEFT JOIN deepest AS d ON TRUE
    LEFT JOIN steepest AS r ON TRUE
    LEFT JOIN longest AS lw ON lw.is_won
    LEFT JOIN longest AS ll ON NOT ll.is_won
    LEFT JOIN richest AS rw ON rw.is_won
    LEFT JOIN richest AS rl ON NOT rl.is_won
    CROSS JOIN LATERAL (
        VALUES
        ('net_profit', s.net),
        ('gross_profit', s.profit),
        ('gross_loss', s.loss),
        ('profit_factor', s.profit / nullif(-s.loss, 0)),
        ('expected_payoff', s.net / nullif(c.trades, 0)),
        ('recovery_factor', s.net / nullif(d.money, 0)),
        ('sharpe_ratio', c.sharpe),
        ('drawdown_absolute', greatest(b.balance - (SELECT min(x.balance) FROM falls AS x), 0)),
        ('drawdown_maximal', d.money),
        ('drawdown_maximal_percent', d.percent),
        ('drawdown_relative_percent', r.percent),
        ('drawdown_relative', r.money),
        ('trades', c.trades),
        ('short_trades', c.short),
        ('short_won_percent', coalesce(100.0 * c.short_won / nullif(c.short, 0), 0)),
        ('long_trades', c.long),
        ('long_won_percent', coalesce(100.0 * c.long_won / nullif(c.long, 0), 0)),
        ('won_trades', c.won),
        ('won_percent', coalesce(100.0 * c.won / nullif(c.trades, 0), 0)),
        ('lost_trades', c.lost),
        ('lost_percent', coalesce(100.0 * c.lost / nullif(c.trades, 0), 0)),
        ('largest_profit', c.best),
        ('largest_loss', c.worst),
        ('average_profit', coalesce(s.profit / nullif(c.won, 0), 0)),
        ('average_loss', coalesce(s.loss / nullif(c.lost, 0), 0)),
        ('longest_wins', coalesce(lw.trades, 0)),
        ('longest_wins_profit', coalesce(lw.money, 0)),
        ('longest_losses', coalesce(ll.trades, 0)),
        ('longest_losses_loss', coalesce(ll.money, 0)),
        ('maximal_series_profit', coalesce(rw.money, 0)),
        ('maximal_series_profit_trades', coalesce(rw.trades, 0)),
        ('maximal_series_loss', coalesce(rl.money, 0)),
        ('maximal_series_loss_trades', coalesce(rl.trades, 0)),
        (
            'average_wins',
            (SELECT round(coalesce(avg(x.trades), 0)) FROM series AS x WHERE x.is_won)
        ),
        (
            'average_losses',
            (SELECT round(coalesce(avg(x.trades), 0)) FROM series AS x WHERE NOT x.is_won)
        )
    ) AS f (figure, value)
$$;
COMMENT ON FUNCTION public.measure_mt5_report(bigint, bigint, bigint, numeric) IS
'Results of an account''s deals between two milliseconds of the server''s clock, by the definitions
of the terminal''s trade history report: money in the account''s currency, shares in percent. NULL
where there is none. p_opening_balance is the balance before the first of these deals.';
REVOKE ALL ON FUNCTION public.measure_mt5_report(bigint, bigint, bigint, numeric) FROM public;
