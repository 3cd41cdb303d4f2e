-- 2440_group_trades.sql: a user's closed trades by month, symbol, hour and weekday, in one pass.

CALL deploy.become_owner();

-- plpgsql, because the view closed_trades comes after the functions.
CREATE OR REPLACE FUNCTION public.group_trades(
    p_user_id bigint,
    p_from timestamptz,
    p_to timestamptz,
    p_currency text,
    p_strategy_id bigint DEFAULT NULL,
    p_account_id bigint DEFAULT NULL
)
RETURNS TABLE (
    grouped_by text,
    month date,
    symbol text,
    hour integer,
    weekday integer,
    trades bigint,
    winning_trades bigint,
    win_rate numeric,
    net_profit numeric,
    profit_factor numeric,
    average_profit numeric
)
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH told AS (
        SELECT
            t.net,
            t.side,
            date_trunc('month', t.closed_on::timestamp)::date AS month,
            t.symbol::text AS symbol,
            extract(HOUR FROM t.opened_at AT TIME ZONE 'UTC')::integer AS hour,
            extract(ISODOW FROM t.opened_at AT TIME ZONE 'UTC')::integer AS weekday
        FROM public.closed_trades AS t
        WHERE t.user_id = p_user_id
            AND t.closed_at >= p_from AND t.closed_at < p_to
            AND t.currency IS NOT DISTINCT FROM p_currency
            AND (p_strategy_id IS NULL OR t.strategy_id = p_strategy_id)
            AND (p_account_id IS NULL OR t.account_id = p_account_id)
    )

    SELECT
        -- a bit for each column that does not name the group
        CASE grouping(t.month, t.symbol, t.hour, t.weekday)
            WHEN 7 THEN 'month'
            WHEN 11 THEN 'symbol'
            WHEN 13 THEN 'hour'
            ELSE 'weekday'
        END,
        t.month,
        t.symbol,
        t.hour,
        t.weekday,
        count(*),
        count(*) FILTER (WHERE t.side = 1),
        100.0 * count(*) FILTER (WHERE t.side = 1) / count(*),
        sum(t.net),
        coalesce(sum(t.net) FILTER (WHERE t.side = 1), 0)
        / -sum(t.net) FILTER (WHERE t.side = -1),
        avg(t.net)
    FROM told AS t
    GROUP BY GROUPING SETS ((t.month), (t.symbol), (t.hour), (t.weekday));
END
$$;
COMMENT ON FUNCTION
public.group_trades(bigint, timestamptz, timestamptz, text, bigint, bigint) IS
'Closed trades of a user, optionally of one strategy or account, closed from p_from on and before
p_to, in money of p_currency (NULL: of no account). A row a group; grouped_by names the column of
the group: month (its first UTC day, by closing), symbol, hour (0 to 23 UTC, by opening) or weekday
(1 Monday to 7, UTC, by opening). Figures as in symbol_results: win_rate in percent 0-100, money in
p_currency, profit_factor NULL without a loss.';
REVOKE ALL ON FUNCTION
public.group_trades(bigint, timestamptz, timestamptz, text, bigint, bigint) FROM public;
