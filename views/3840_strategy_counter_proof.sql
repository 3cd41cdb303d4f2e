-- 3840_strategy_counter_proof.sql: proof that the strategies' counters agree with their orders.

CALL deploy.become_owner();

-- Not security_invoker: the view counts over all users for rubi_monitor, who may not read their
-- rows.
CREATE OR REPLACE VIEW monitoring.strategy_counter_violations AS
WITH orders AS (
    SELECT
        t.strategy_id,
        count(*) AS trades,
        count(*) FILTER (WHERE t.profit + t.commission + t.swap > 0) AS winning,
        sum(t.profit + t.commission + t.swap) AS profit
    FROM public.trading_orders AS t
    WHERE t.closed_at IS NOT NULL AND t.close_price IS NOT NULL
    GROUP BY t.strategy_id
)

SELECT
    s.id AS strategy_id,
    s.total_trades,
    coalesce(o.trades, 0) AS trades_by_orders,
    s.winning_trades,
    coalesce(o.winning, 0) AS winning_by_orders,
    s.total_profit,
    coalesce(o.profit, 0) AS profit_by_orders
FROM public.trading_strategies AS s
LEFT JOIN orders AS o ON s.id = o.strategy_id
WHERE
    s.total_trades <> coalesce(o.trades, 0)
    OR s.winning_trades <> coalesce(o.winning, 0)
    OR s.total_profit <> coalesce(o.profit, 0);

COMMENT ON VIEW monitoring.strategy_counter_violations IS
'Strategies whose counters differ from their closed orders. No row when all is well.';
COMMENT ON COLUMN monitoring.strategy_counter_violations.strategy_id IS 'Strategy.';
COMMENT ON COLUMN monitoring.strategy_counter_violations.total_trades IS 'Counter as stored.';
COMMENT ON COLUMN monitoring.strategy_counter_violations.trades_by_orders IS
'Counter as the orders have it.';
COMMENT ON COLUMN monitoring.strategy_counter_violations.winning_trades IS 'Counter as stored.';
COMMENT ON COLUMN monitoring.strategy_counter_violations.winning_by_orders IS
'Counter as the orders have it.';
COMMENT ON COLUMN monitoring.strategy_counter_violations.total_profit IS
'Sum as stored, account currency.';
COMMENT ON COLUMN monitoring.strategy_counter_violations.profit_by_orders IS
'Sum as the orders have it, account currency.';
