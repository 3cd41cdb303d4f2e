-- multiples.sql: results as multiples of what was risked (R), and how far trades went.

-- GROUPS: sums by strategy, symbol and market session, and what they leave out. %(of_prices)s: R of
-- the prices, without costs.
SELECT g.grouped_by,
    coalesce(
        (SELECT t.name FROM public.trading_strategies AS t WHERE t.id = g.strategy_id),
        g.symbol, g.session
    ) AS name,
    g.trades, g.left_out, g.left_out_by, g.expectancy_r, g.sqn, g.worst_r, g.best_r
FROM public.group_r(
    %(user_id)s, %(start)s, %(end)s, %(of_prices)s, %(strategy_id)s, %(account_id)s
) AS g
ORDER BY g.trades DESC, g.expectancy_r DESC, g.symbol ASC, g.session ASC, g.strategy_id ASC;

-- MULTIPLES: R of each trade, in the place of its money
SELECT CASE WHEN %(of_prices)s THEN r.r_of_prices ELSE r.r END AS net
FROM public.trip_risks AS r
WHERE r.user_id = %(user_id)s
    AND r.closed_at >= %(start)s AND r.closed_at < %(end)s
    AND (%(strategy_id)s::bigint IS NULL OR r.strategy_id = %(strategy_id)s)
    AND (%(account_id)s::bigint IS NULL OR r.account_id = %(account_id)s)
    AND CASE WHEN %(of_prices)s THEN r.r_of_prices ELSE r.r END IS NOT NULL;

-- EXCURSIONS: how far the newest trades went against and for their trader, in R; chosen first, as
-- each costs a look at its bars
WITH newest AS MATERIALIZED (
    SELECT t.account_id, t.position_id, t.leg
    FROM public.mt5_trips AS t
    INNER JOIN public.mt5_accounts AS a ON t.account_id = a.id
    LEFT JOIN public.trading_orders AS o ON t.trading_order_id = o.id
    WHERE a.user_id = %(user_id)s
        AND t.closed_at >= %(start)s AND t.closed_at < %(end)s
        AND (%(strategy_id)s::bigint IS NULL OR o.strategy_id = %(strategy_id)s)
        AND (%(account_id)s::bigint IS NULL OR t.account_id = %(account_id)s)
    ORDER BY t.closed_at DESC
    LIMIT %(limit)s
)

SELECT e.symbol, e.closed_at, e.mae_r, e.mfe_r, coalesce(e.r, e.r_of_prices) AS r
FROM newest AS n
CROSS JOIN LATERAL (
    SELECT e.symbol, e.closed_at, e.mae_r, e.mfe_r, e.r, e.r_of_prices
    FROM public.trip_excursions AS e
    WHERE e.account_id = n.account_id AND e.position_id = n.position_id AND e.leg = n.leg
    ORDER BY e.leg  -- keeps it a look-up
) AS e
WHERE e.mae_r IS NOT NULL AND e.mfe_r IS NOT NULL
ORDER BY e.closed_at DESC;
