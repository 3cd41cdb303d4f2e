-- 2363_measure_mt5_report.sql: results of deals by the definitions of the terminal's report.

CALL deploy.become_owner();

-- The terminal counts each closing deal as a trade, with its own commission and swap; costs of
-- opening deals are part of the gross loss and of no trade. A trade of 0 is won. The curve has a
-- point for each deal that moves the balance, deposits too, except for a first deal that is no
-- trade: this one is the account's beginning.
CREATE OR REPLACE FUNCTION public.walk_mt5_deals(
    p_account_id bigint,
    p_first_msc bigint,
    p_last_msc bigint,
    p_opening_balance numeric
)
RETURNS TABLE (
    n bigint,
    is_trade boolean,
    closes boolean,
    is_start boolean,
    is_short boolean,
    money numeric,
    balance numeric,
    high numeric
)
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        w.n,
        w.is_trade,
        w.closes,
        w.n = 1 AND NOT w.is_trade,
        w.type = 0, -- bought to close
        w.money,
        w.balance,
        greatest(
            max(w.balance) OVER (ORDER BY w.n),
            CASE WHEN first_value(w.is_trade) OVER (ORDER BY w.n) THEN p_opening_balance END
        )
    FROM (
        SELECT
            d.type,
            d.type IN (0, 1) AS is_trade,
            d.type IN (0, 1) AND d.entry IN (1, 2, 3) AS closes,
            d.profit + d.commission + d.swap + d.fee AS money,
            row_number() OVER walk AS n,
            p_opening_balance
            + sum(d.profit + d.commission + d.swap + d.fee) OVER walk AS balance
        FROM public.trading_deals AS d
        LEFT JOIN public.mt5_deal_types AS t ON d.type = t.code
        WHERE d.account_id = p_account_id
            AND d.time_msc BETWEEN p_first_msc AND p_last_msc
            AND CASE coalesce(t.effect, 'balance')
                WHEN 'credit' THEN FALSE
                -- a trade that was taken back is no point of the curve, what it leaves behind is
                WHEN 'cancelled' THEN d.profit + d.commission + d.swap + d.fee <> 0
                ELSE TRUE
            END
        WINDOW walk AS (ORDER BY d.time_msc, d.ticket)
    ) AS w
$$;
COMMENT ON FUNCTION public.walk_mt5_deals(bigint, bigint, bigint, numeric) IS
'An account''s deals between two milliseconds of the server''s clock in their order: the money of
each, the balance after it and the high so far, account currency.';
REVOKE ALL ON FUNCTION public.walk_mt5_deals(bigint, bigint, bigint, numeric) FROM public;

CREATE OR REPLACE FUNCTION public.measure_mt5_series(
    p_account_id bigint,
    p_first_msc bigint,
    p_last_msc bigint
)
RETURNS TABLE (
    is_won boolean,
    longest bigint,
    longest_money numeric,
    richest bigint,
    richest_money numeric,
    average numeric
)
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        s.is_won,
        (array_agg(s.trades ORDER BY s.trades DESC, abs(s.money) DESC, s.n))[1],
        (array_agg(s.money ORDER BY s.trades DESC, abs(s.money) DESC, s.n))[1],
        (array_agg(s.trades ORDER BY abs(s.money) DESC, s.trades DESC, s.n))[1],
        (array_agg(s.money ORDER BY abs(s.money) DESC, s.trades DESC, s.n))[1],
        round(avg(s.trades))
    FROM (
        SELECT t.is_won, count(*) AS trades, sum(t.money) AS money, min(t.n) AS n
        FROM (
            SELECT
                w.n,
                w.money,
                w.money >= 0 AS is_won,
                row_number() OVER (ORDER BY w.n)
                    - row_number() OVER (PARTITION BY w.money >= 0 ORDER BY w.n) AS series
            FROM public.walk_mt5_deals(p_account_id, p_first_msc, p_last_msc, 0) AS w
            WHERE w.closes
        ) AS t
        GROUP BY t.is_won, t.series
    ) AS s
    GROUP BY s.is_won
$$;
COMMENT ON FUNCTION public.measure_mt5_series(bigint, bigint, bigint) IS
'Runs of won and of lost trades: the longest and the one with most money, each with number of trades
and money, account currency, and the mean number of trades, rounded.';
REVOKE ALL ON FUNCTION public.measure_mt5_series(bigint, bigint, bigint) FROM public;

-- The terminal's Sharpe ratio is the mean of the trades' returns on the balance just before each,
-- by their population standard deviation, over no time at all.
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
    WITH walked AS MATERIALIZED (
        SELECT w.*
        FROM public.walk_mt5_deals(
            p_account_id, p_first_msc, p_last_msc, p_opening_balance
        ) AS w
    ),
    falls AS (
        SELECT w.n, w.balance, w.high - w.balance AS fall, w.high
        FROM walked AS w
        WHERE NOT w.is_start
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
    sums AS (
        SELECT
            coalesce(max(w.balance) FILTER (WHERE w.is_start), p_opening_balance) AS start,
            coalesce(sum(w.money) FILTER (WHERE w.is_trade), 0) AS net,
            coalesce(sum(w.money) FILTER (WHERE w.is_trade AND w.money > 0), 0) AS profit,
            coalesce(sum(w.money) FILTER (WHERE w.is_trade AND w.money < 0), 0) AS loss,
            count(*) FILTER (WHERE w.closes) AS trades,
            count(*) FILTER (WHERE w.closes AND w.money >= 0) AS won,
            count(*) FILTER (WHERE w.closes AND w.money < 0) AS lost,
            count(*) FILTER (WHERE w.closes AND w.is_short) AS short,
            count(*) FILTER (WHERE w.closes AND w.is_short AND w.money >= 0) AS short_won,
            count(*) FILTER (WHERE w.closes AND NOT w.is_short) AS long,
            count(*) FILTER (WHERE w.closes AND NOT w.is_short AND w.money >= 0) AS long_won,
            coalesce(max(w.money) FILTER (WHERE w.closes AND w.money >= 0), 0) AS best,
            coalesce(min(w.money) FILTER (WHERE w.closes AND w.money < 0), 0) AS worst,
            avg(w.money / nullif(w.balance - w.money, 0)) FILTER (WHERE w.closes)
            / nullif(
                stddev_pop(w.money / nullif(w.balance - w.money, 0)) FILTER (WHERE w.closes), 0
            ) AS sharpe
        FROM walked AS w
    ),
    series AS MATERIALIZED (
        SELECT m.* FROM public.measure_mt5_series(p_account_id, p_first_msc, p_last_msc) AS m
    )
    SELECT f.figure, f.value
    FROM sums AS s
    LEFT JOIN deepest AS d ON TRUE
    LEFT JOIN steepest AS r ON TRUE
    LEFT JOIN series AS w ON w.is_won
    LEFT JOIN series AS l ON NOT l.is_won
    CROSS JOIN LATERAL (
        VALUES
        ('net_profit', s.net), ('gross_profit', s.profit), ('gross_loss', s.loss),
        ('profit_factor', s.profit / nullif(-s.loss, 0)),
        ('expected_payoff', s.net / nullif(s.trades, 0)),
        ('recovery_factor', s.net / nullif(d.money, 0)), ('sharpe_ratio', s.sharpe),
        ('drawdown_absolute', greatest(s.start - (SELECT min(x.balance) FROM falls AS x), 0)),
        ('drawdown_maximal', d.money), ('drawdown_maximal_percent', d.percent),
        ('drawdown_relative', r.money), ('drawdown_relative_percent', r.percent),
        ('trades', s.trades), ('short_trades', s.short), ('long_trades', s.long),
        ('won_trades', s.won), ('lost_trades', s.lost),
        ('short_won_percent', coalesce(100.0 * s.short_won / nullif(s.short, 0), 0)),
        ('long_won_percent', coalesce(100.0 * s.long_won / nullif(s.long, 0), 0)),
        ('won_percent', coalesce(100.0 * s.won / nullif(s.trades, 0), 0)),
        ('lost_percent', coalesce(100.0 * s.lost / nullif(s.trades, 0), 0)),
        ('largest_profit', s.best), ('largest_loss', s.worst),
        ('average_profit', coalesce(s.profit / nullif(s.won, 0), 0)),
        ('average_loss', coalesce(s.loss / nullif(s.lost, 0), 0)),
        ('longest_wins', coalesce(w.longest, 0)),
        ('longest_wins_profit', coalesce(w.longest_money, 0)),
        ('longest_losses', coalesce(l.longest, 0)),
        ('longest_losses_loss', coalesce(l.longest_money, 0)),
        ('maximal_series_profit', coalesce(w.richest_money, 0)),
        ('maximal_series_profit_trades', coalesce(w.richest, 0)),
        ('maximal_series_loss', coalesce(l.richest_money, 0)),
        ('maximal_series_loss_trades', coalesce(l.richest, 0)),
        ('average_wins', coalesce(w.average, 0)), ('average_losses', coalesce(l.average, 0))
    ) AS f (figure, value)
$$;
COMMENT ON FUNCTION public.measure_mt5_report(bigint, bigint, bigint, numeric) IS
'Results of an account''s deals between two milliseconds of the server''s clock, by the definitions
of the terminal''s trade history report: money in the account''s currency, shares in percent. NULL
for a figure that does not exist. p_opening_balance is the balance before the first of these
deals.';
REVOKE ALL ON FUNCTION public.measure_mt5_report(bigint, bigint, bigint, numeric) FROM public;
