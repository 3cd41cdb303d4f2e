-- 3460_signals.sql: execution of signals.

CALL deploy.become_owner();

CREATE OR REPLACE VIEW public.signal_executions
WITH (security_invoker = TRUE) AS
SELECT
    s.id AS signal_id,
    s.user_id,
    s.strategy_id,
    s.symbol,
    s.signal_type,
    o.id AS order_id,
    s.entry_price AS signal_price,
    o.open_price AS fill_price,
    CASE
        WHEN s.signal_type IN ('BUY', 'CLOSE_SELL') THEN o.open_price - s.entry_price
        ELSE s.entry_price - o.open_price
    END AS slippage,
    s.signal_time,
    s.received_at,
    s.executed_at,
    s.received_at - s.signal_time AS transit,
    s.executed_at - s.received_at AS latency
FROM public.trading_signals AS s
LEFT JOIN public.trading_orders AS o ON s.id = o.signal_id
WHERE s.status = 'EXECUTED';

COMMENT ON VIEW public.signal_executions IS
'Executed signals, one row each: the price asked for against the fill, and the time to the fill.';
COMMENT ON COLUMN public.signal_executions.signal_id IS 'Signal.';
COMMENT ON COLUMN public.signal_executions.user_id IS 'Owner.';
COMMENT ON COLUMN public.signal_executions.strategy_id IS 'Strategy; NULL for none.';
COMMENT ON COLUMN public.signal_executions.symbol IS 'Symbol as the broker spells it.';
COMMENT ON COLUMN public.signal_executions.signal_type IS 'BUY, SELL, CLOSE_BUY or CLOSE_SELL.';
COMMENT ON COLUMN public.signal_executions.order_id IS 'Order made of the signal; NULL for none.';
COMMENT ON COLUMN public.signal_executions.signal_price IS
'Price asked for, quote currency; NULL at market.';
COMMENT ON COLUMN public.signal_executions.fill_price IS
'Price the order was opened at, quote currency; NULL without one.';
COMMENT ON COLUMN public.signal_executions.slippage IS
'Fill against signal price, quote currency: positive is worse for the trader, negative better;
NULL when either price is unknown.';
COMMENT ON COLUMN public.signal_executions.signal_time IS
'Time when the strategy gave the signal, UTC.';
COMMENT ON COLUMN public.signal_executions.received_at IS 'Time of receipt, UTC.';
COMMENT ON COLUMN public.signal_executions.executed_at IS 'Time of execution, UTC.';
COMMENT ON COLUMN public.signal_executions.transit IS 'Time from signal to receipt.';
COMMENT ON COLUMN public.signal_executions.latency IS 'Time from receipt to execution.';

CREATE OR REPLACE VIEW public.execution_quality
WITH (security_invoker = TRUE) AS
SELECT
    e.user_id,
    e.strategy_id,
    e.symbol,
    count(*) AS signals,
    count(e.slippage) AS priced_signals,
    avg(e.slippage) AS average_slippage,
    max(e.slippage) AS worst_slippage,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY e.latency) AS median_latency,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY e.latency) AS latency_95,
    max(e.latency) AS longest_latency
FROM public.signal_executions AS e
GROUP BY e.user_id, e.strategy_id, e.symbol;

COMMENT ON VIEW public.execution_quality IS
'Slippage and latency of executed signals by strategy and symbol, of each user.';
COMMENT ON COLUMN public.execution_quality.user_id IS 'Owner.';
COMMENT ON COLUMN public.execution_quality.strategy_id IS 'Strategy; NULL for none.';
COMMENT ON COLUMN public.execution_quality.symbol IS 'Symbol as the broker spells it.';
COMMENT ON COLUMN public.execution_quality.signals IS 'Executed signals.';
COMMENT ON COLUMN public.execution_quality.priced_signals IS
'Executed signals with a known slippage.';
COMMENT ON COLUMN public.execution_quality.average_slippage IS
'Mean slippage, quote currency; positive is worse for the trader.';
COMMENT ON COLUMN public.execution_quality.worst_slippage IS 'Largest slippage, quote currency.';
COMMENT ON COLUMN public.execution_quality.median_latency IS
'Median time from receipt to execution.';
COMMENT ON COLUMN public.execution_quality.latency_95 IS
'Time within which 95 percent were executed.';
COMMENT ON COLUMN public.execution_quality.longest_latency IS
'Longest time from receipt to execution.';

CREATE OR REPLACE VIEW public.signal_funnel
WITH (security_invoker = TRUE) AS
SELECT
    s.user_id,
    s.strategy_id,
    count(*) AS signals,
    count(*) FILTER (WHERE s.status = 'PENDING') AS pending,
    count(*) FILTER (WHERE s.status = 'REJECTED') AS rejected,
    count(*) FILTER (WHERE s.status = 'EXPIRED') AS expired,
    count(*) FILTER (WHERE s.status = 'EXECUTED') AS executed,
    count(o.id) AS orders,
    count(o.id) FILTER (WHERE o.closed_at IS NOT NULL AND o.close_price IS NOT NULL) AS closed,
    count(o.id) FILTER (
        WHERE o.closed_at IS NOT NULL AND o.close_price IS NOT NULL
        AND o.profit + o.commission + o.swap > 0
    ) AS won,
    100.0 * count(*) FILTER (WHERE s.status = 'EXECUTED')
    / nullif(count(*) FILTER (WHERE s.status <> 'PENDING'), 0) AS execution_rate
FROM public.trading_signals AS s
LEFT JOIN public.trading_orders AS o ON s.id = o.signal_id
GROUP BY s.user_id, s.strategy_id;

COMMENT ON VIEW public.signal_funnel IS
'Outcome of signals, by strategy, from received to won.';
COMMENT ON COLUMN public.signal_funnel.user_id IS 'Owner.';
COMMENT ON COLUMN public.signal_funnel.strategy_id IS 'Strategy; NULL for none.';
COMMENT ON COLUMN public.signal_funnel.signals IS 'Signals received.';
COMMENT ON COLUMN public.signal_funnel.pending IS 'Not decided yet.';
COMMENT ON COLUMN public.signal_funnel.rejected IS 'Rejected.';
COMMENT ON COLUMN public.signal_funnel.expired IS 'Expired.';
COMMENT ON COLUMN public.signal_funnel.executed IS 'Executed.';
COMMENT ON COLUMN public.signal_funnel.orders IS 'Signals with an order.';
COMMENT ON COLUMN public.signal_funnel.closed IS 'Signals whose order traded and is closed.';
COMMENT ON COLUMN public.signal_funnel.won IS 'Signals whose order has a net result above zero.';
COMMENT ON COLUMN public.signal_funnel.execution_rate IS
'Executed signals in percent of decided ones, 0 to 100; NULL while no signal is decided.';
