-- 2471_performance_trades.sql: the closed trades of a group, their sums and their currency.

CALL deploy.become_owner();

-- find_account_balance() is made later; pg_dump does the same.
SET check_function_bodies = off;

-- Each becomes a part of the query of performance_events(), so none has a search_path of its own:
-- names without a schema lie in pg_catalog.

-- The period ends by a comparison of rows, which the index on closed_at alone can't serve: planned
-- without knowing the period, that index looked best, and all users' closed trades were read
-- (10,000 of 100,000: 24 ms instead of 9).
CREATE OR REPLACE FUNCTION public.find_closed_trades(
    p_user_id bigint,
    p_strategy_id bigint,
    p_strategy_owned boolean,
    p_account_id bigint,
    p_all_accounts boolean,
    p_period_start timestamptz,
    p_period_end timestamptz
)
RETURNS TABLE (
    id bigint,
    account_id bigint,
    closed_at timestamptz,
    held interval,
    volume numeric,
    commission numeric,
    swap numeric,
    net numeric
)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
    SELECT
        o.id,
        o.account_id,
        o.closed_at::timestamptz,
        o.closed_at - o.opened_at,
        o.volume::numeric,
        o.commission::numeric,
        o.swap::numeric,
        o.profit + o.commission + o.swap
    FROM public.trading_orders AS o
    WHERE p_strategy_id IS NULL
        AND o.user_id = p_user_id AND o.closed_at >= p_period_start
        AND (o.user_id, o.closed_at) < (p_user_id, p_period_end)
        AND o.close_price IS NOT NULL
        AND (p_all_accounts OR o.account_id IS NOT DISTINCT FROM p_account_id)
    UNION ALL
    SELECT
        o.id,
        o.account_id,
        o.closed_at::timestamptz,
        o.closed_at - o.opened_at,
        o.volume::numeric,
        o.commission::numeric,
        o.swap::numeric,
        o.profit + o.commission + o.swap
    FROM public.trading_orders AS o
    WHERE p_strategy_owned
        AND o.strategy_id = p_strategy_id AND o.closed_at >= p_period_start
        AND (o.strategy_id, o.closed_at) < (p_strategy_id, p_period_end)
        AND o.close_price IS NOT NULL
        AND (p_all_accounts OR o.account_id IS NOT DISTINCT FROM p_account_id)
$$;
COMMENT ON FUNCTION public.find_closed_trades(
    bigint, bigint, boolean, bigint, boolean, timestamptz, timestamptz
) IS
'Trades that a user (strategy NULL) or a strategy closed in [start, end), of all accounts, of one,
or of no account; money in account currency, volume in lots. p_strategy_owned: the strategy is the
user''s.';
REVOKE ALL ON FUNCTION public.find_closed_trades(
    bigint, bigint, boolean, bigint, boolean, timestamptz, timestamptz
) FROM public;

CREATE OR REPLACE FUNCTION public.sum_trading_days(p_days public.trading_day[])
RETURNS TABLE (
    trades integer,
    won integer,
    lost integer,
    net numeric,
    gross_profit numeric,
    best numeric,
    worst numeric,
    held interval,
    volume numeric,
    commission numeric,
    swap numeric
)
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
ROWS 1
AS $$
    SELECT
        coalesce(sum(d.trades), 0)::integer,
        coalesce(sum(d.won), 0)::integer,
        coalesce(sum(d.lost), 0)::integer,
        coalesce(sum(d.net), 0),
        coalesce(sum(d.gross_profit), 0),
        max(d.best),
        min(d.worst),
        sum(d.held) / sum(d.trades)::double precision,
        coalesce(sum(d.volume), 0),
        coalesce(sum(d.commission), 0),
        coalesce(sum(d.swap), 0)
    FROM unnest(p_days) AS d
$$;
COMMENT ON FUNCTION public.sum_trading_days(public.trading_day[]) IS
'Sums of days of trades, always one row: hundreds of days are summed up, not thousands of trades.
held is the mean holding time of a trade.';
REVOKE ALL ON FUNCTION public.sum_trading_days(public.trading_day[]) FROM public;

CREATE OR REPLACE FUNCTION public.find_results_basis(
    p_days public.trading_day[],
    p_user_id bigint,
    p_strategy_id bigint,
    p_account_id bigint,
    p_all_accounts boolean,
    p_period_start timestamptz,
    p_initial_balance numeric
)
RETURNS TABLE (mixed boolean, currency text, opening numeric, account_ids bigint[])
LANGUAGE sql
STABLE
PARALLEL SAFE
ROWS 1
AS $$
    WITH traded AS (
        SELECT
            array_agg(DISTINCT d.account_id) AS ids,
            coalesce(bool_or(d.account_id IS NULL), FALSE) AS nameless
        FROM unnest(p_days) AS d
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
        CROSS JOIN traded AS t
        WHERE a.user_id = p_user_id
            AND CASE
                WHEN t.ids IS NOT NULL THEN a.id = ANY (t.ids)
                ELSE p_strategy_id IS NULL AND (p_all_accounts OR a.id = p_account_id)
            END
    ),

    -- orders without an account are in an unknown currency
    currencies AS (
        SELECT
            count(DISTINCT a.currency) + t.nameless::integer > 1 AS mixed,
            CASE WHEN NOT t.nameless THEN min(a.currency) END AS currency,
            CASE WHEN count(a.balance) = count(*) AND NOT t.nameless THEN sum(a.balance) END
                AS balance,
            array_agg(a.id) AS account_ids
        FROM traded AS t
        LEFT JOIN accounts AS a ON TRUE
        GROUP BY t.nameless
    )

    SELECT
        c.mixed,
        CASE WHEN NOT c.mixed THEN c.currency END,
        CASE WHEN NOT c.mixed THEN coalesce(p_initial_balance, c.balance) END,
        CASE
            WHEN NOT c.mixed AND c.currency IS NOT NULL AND p_strategy_id IS NULL
            THEN c.account_ids
        END
    FROM currencies AS c
$$;
COMMENT ON FUNCTION public.find_results_basis(
    public.trading_day[], bigint, bigint, bigint, boolean, timestamptz, numeric
) IS
'The money that a group''s results are counted in, always one row: whether currencies are mixed, the
one currency, the opening balance in it, and the accounts whose equity and operations count (a
strategy has neither).';
REVOKE ALL ON FUNCTION public.find_results_basis(
    public.trading_day[], bigint, bigint, bigint, boolean, timestamptz, numeric
) FROM public;

RESET check_function_bodies;
