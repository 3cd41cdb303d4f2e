-- 3510_exposure.sql: open positions by symbol and by currency.

CALL deploy.become_owner();

CREATE OR REPLACE VIEW public.exposure_by_symbol
WITH (security_invoker = TRUE) AS
SELECT
    s.user_id,
    a.currency,
    p.symbol,
    count(*) AS positions,
    coalesce(sum(p.volume) FILTER (WHERE p.type = 'BUY'), 0) AS long_volume,
    coalesce(sum(p.volume) FILTER (WHERE p.type = 'SELL'), 0) AS short_volume,
    sum(CASE p.type WHEN 'BUY' THEN p.volume ELSE -p.volume END) AS net_volume,
    sum(p.profit) AS profit,
    sum(p.swap) AS swap,
    sum(p.commission) AS commission,
    sum(p.profit + p.swap + p.commission) AS net_profit
FROM public.trading_positions AS p
INNER JOIN public.mt5_sessions AS s ON p.session_id = s.session_id
LEFT JOIN public.mt5_accounts AS a ON p.account_id = a.id
WHERE s.is_active
GROUP BY s.user_id, a.currency, p.symbol;
COMMENT ON VIEW public.exposure_by_symbol IS
'Open positions of active sessions by symbol, one row a user, currency and symbol.';
COMMENT ON COLUMN public.exposure_by_symbol.user_id IS 'Owner.';
COMMENT ON COLUMN public.exposure_by_symbol.currency IS
'Deposit currency of the accounts and of the money columns.';
COMMENT ON COLUMN public.exposure_by_symbol.symbol IS 'Symbol as the broker spells it.';
COMMENT ON COLUMN public.exposure_by_symbol.positions IS 'Open positions.';
COMMENT ON COLUMN public.exposure_by_symbol.long_volume IS 'Lots bought.';
COMMENT ON COLUMN public.exposure_by_symbol.short_volume IS 'Lots sold, positive.';
COMMENT ON COLUMN public.exposure_by_symbol.net_volume IS 'Lots bought less lots sold.';
COMMENT ON COLUMN public.exposure_by_symbol.profit IS 'Floating result, account currency.';
COMMENT ON COLUMN public.exposure_by_symbol.swap IS 'Accumulated swap, account currency.';
COMMENT ON COLUMN public.exposure_by_symbol.commission IS 'Commission so far, account currency.';
COMMENT ON COLUMN public.exposure_by_symbol.net_profit IS
'Floating result with swap and commission, account currency.';

CREATE OR REPLACE VIEW public.exposure_by_currency
WITH (security_invoker = TRUE) AS
SELECT
    s.user_id,
    a.currency,
    count(*) AS positions,
    count(DISTINCT p.symbol) AS symbols,
    sum(p.profit) AS profit,
    sum(p.swap) AS swap,
    sum(p.commission) AS commission,
    sum(p.profit + p.swap + p.commission) AS net_profit
FROM public.trading_positions AS p
INNER JOIN public.mt5_sessions AS s ON p.session_id = s.session_id
LEFT JOIN public.mt5_accounts AS a ON p.account_id = a.id
WHERE s.is_active
GROUP BY s.user_id, a.currency;
COMMENT ON VIEW public.exposure_by_currency IS
'Open positions of active sessions by deposit currency, one row a user and currency. Lots of
different symbols are different amounts: only the money has a sum.';
COMMENT ON COLUMN public.exposure_by_currency.user_id IS 'Owner.';
COMMENT ON COLUMN public.exposure_by_currency.currency IS
'Deposit currency of the accounts and of the money columns.';
COMMENT ON COLUMN public.exposure_by_currency.positions IS 'Open positions.';
COMMENT ON COLUMN public.exposure_by_currency.symbols IS 'Symbols with an open position.';
COMMENT ON COLUMN public.exposure_by_currency.profit IS 'Floating result, account currency.';
COMMENT ON COLUMN public.exposure_by_currency.swap IS 'Accumulated swap, account currency.';
COMMENT ON COLUMN public.exposure_by_currency.commission IS 'Commission so far, account currency.';
COMMENT ON COLUMN public.exposure_by_currency.net_profit IS
'Floating result with swap and commission, account currency.';
