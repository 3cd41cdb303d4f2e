-- 3100_monitoring_proofs.sql: proofs that figures kept twice agree.
-- needs: schema/0150_trading_orders.sql, schema/0030_schemas.sql
-- transaction: yes

CALL deploy.become_owner();

DROP VIEW IF EXISTS monitoring.proofs;
DROP VIEW IF EXISTS monitoring.strategy_counter_violations;

-- Not security_invoker: it counts over all users for rubi_monitor, who may not read their rows.
CREATE VIEW monitoring.strategy_counter_violations AS
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
'The same counted from orders.';
COMMENT ON COLUMN monitoring.strategy_counter_violations.winning_trades IS 'Counter as stored.';
COMMENT ON COLUMN monitoring.strategy_counter_violations.winning_by_orders IS
'The same counted from orders.';
COMMENT ON COLUMN monitoring.strategy_counter_violations.total_profit IS
'Sum as stored, account currency.';
COMMENT ON COLUMN monitoring.strategy_counter_violations.profit_by_orders IS
'The same summed from orders, account currency.';

-- Not security_invoker: it counts over all users for rubi_monitor, who may not read their rows.
CREATE VIEW monitoring.proofs AS
SELECT
    'strategy counters' AS name,
    count(*) AS violations,
    'strategies whose total_trades, winning_trades or total_profit differ from their closed orders'
        AS meaning
FROM monitoring.strategy_counter_violations;

COMMENT ON VIEW monitoring.proofs IS
'One row a proof. violations is 0 when all is well; the view named for the proof lists the rows.';
COMMENT ON COLUMN monitoring.proofs.name IS 'Name of the proof.';
COMMENT ON COLUMN monitoring.proofs.violations IS 'Rows that contradict it.';
COMMENT ON COLUMN monitoring.proofs.meaning IS 'What a violation means.';
