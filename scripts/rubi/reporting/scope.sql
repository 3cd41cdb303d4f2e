-- scope.sql: the trades and the period of a report.

-- TRADES: the relation trades, which the queries of a report read
SELECT t.order_id, t.symbol, t.order_type, t.volume, t.opened_at, t.closed_at, t.closed_on,
    t.currency, t.profit, t.commission, t.swap, t.net, t.side
FROM public.closed_trades AS t
WHERE t.user_id = %(user_id)s
    AND t.closed_at >= %(start)s AND t.closed_at < %(end)s
    AND (%(strategy_id)s::bigint IS NULL OR t.strategy_id = %(strategy_id)s)
    AND (%(account_id)s::bigint IS NULL OR t.account_id = %(account_id)s)
    AND t.currency IS NOT DISTINCT FROM %(currency)s;

-- CURRENCIES: of the trades, the one with most of them first
SELECT t.currency, count(*) AS trades
FROM public.closed_trades AS t
WHERE t.user_id = %(user_id)s
    AND t.closed_at >= %(start)s AND t.closed_at < %(end)s
    AND (%(strategy_id)s::bigint IS NULL OR t.strategy_id = %(strategy_id)s)
    AND (%(account_id)s::bigint IS NULL OR t.account_id = %(account_id)s)
GROUP BY t.currency
ORDER BY count(*) DESC, t.currency ASC NULLS LAST;

-- PERIOD: from the first to the last moment known
SELECT min(e.at), max(e.at)
FROM (
    SELECT t.closed_at AS at
    FROM public.closed_trades AS t
    WHERE t.user_id = %(user)s
        AND (%(strategy)s::bigint IS NULL OR t.strategy_id = %(strategy)s)
        AND (%(account)s::bigint IS NULL OR t.account_id = %(account)s)
    UNION ALL
    SELECT d.day::timestamptz
    FROM public.daily_equity AS d
    WHERE d.user_id = %(user)s AND %(strategy)s::bigint IS NULL
        AND (%(account)s::bigint IS NULL OR d.account_id = %(account)s)
) AS e;
