-- 3430_closed_trades.sql: closed orders that traded, with their net result.

CALL deploy.become_owner();

-- Replaced in place, because the views over it would have to be dropped first.
CREATE OR REPLACE VIEW public.closed_trades
WITH (security_invoker = TRUE) AS
SELECT
    o.id AS order_id,
    o.user_id,
    o.strategy_id,
    o.account_id,
    a.currency,
    o.symbol,
    o.order_type,
    o.volume,
    o.opened_at,
    o.closed_at,
    (o.closed_at AT TIME ZONE 'UTC')::date AS closed_on,
    o.profit,
    o.commission,
    o.swap,
    o.profit + o.commission + o.swap AS net,
    sign(o.profit + o.commission + o.swap)::integer AS side
FROM public.trading_orders AS o
LEFT JOIN public.mt5_accounts AS a ON o.account_id = a.id
WHERE o.closed_at IS NOT NULL AND o.close_price IS NOT NULL;

COMMENT ON VIEW public.closed_trades IS
'Closed orders that traded, one row each, with the net result and its currency. A pending order that
was cancelled is no trade.';
COMMENT ON COLUMN public.closed_trades.order_id IS 'Order.';
COMMENT ON COLUMN public.closed_trades.user_id IS 'Owner.';
COMMENT ON COLUMN public.closed_trades.strategy_id IS 'Strategy; NULL for none.';
COMMENT ON COLUMN public.closed_trades.account_id IS 'Trading account; NULL while unknown.';
COMMENT ON COLUMN public.closed_trades.currency IS
'Currency of the money columns; NULL without an account.';
COMMENT ON COLUMN public.closed_trades.symbol IS 'Symbol as the broker spells it.';
COMMENT ON COLUMN public.closed_trades.order_type IS 'MT5 order type.';
COMMENT ON COLUMN public.closed_trades.volume IS 'Volume in lots.';
COMMENT ON COLUMN public.closed_trades.opened_at IS 'Time of opening, UTC.';
COMMENT ON COLUMN public.closed_trades.closed_at IS 'Time of closing, UTC.';
COMMENT ON COLUMN public.closed_trades.closed_on IS
'UTC day of closing, which its result counts for.';
COMMENT ON COLUMN public.closed_trades.profit IS
'Result before commission and swap, account currency.';
COMMENT ON COLUMN public.closed_trades.commission IS
'Commission, account currency; a charge is negative.';
COMMENT ON COLUMN public.closed_trades.swap IS 'Swap, account currency; a charge is negative.';
COMMENT ON COLUMN public.closed_trades.net IS
'Net result: profit, commission and swap, account currency.';
COMMENT ON COLUMN public.closed_trades.side IS
'1 for a win, -1 for a loss, 0 for break-even, by the net result.';
