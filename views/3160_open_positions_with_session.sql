-- 3160_open_positions_with_session.sql: open positions with the account they belong to.

CALL deploy.become_owner();

CREATE OR REPLACE VIEW public.open_positions_with_session
WITH (security_invoker = TRUE) AS
SELECT
    p.id,
    p.session_id,
    p.ticket,
    p.symbol,
    p.type,
    p.volume,
    p.open_price,
    p.current_price,
    p.sl,
    p.tp,
    p.profit,
    p.swap,
    p.commission,
    p.open_time,
    p.updated_at,
    p.account_id,
    p.identifier,
    p.time,
    p.time_msc,
    p.time_update,
    p.time_update_msc,
    p.magic,
    p.reason,
    p.comment,
    p.external_id,
    p.raw,
    s.account_number,
    s.broker,
    s.user_id
FROM public.trading_positions AS p
INNER JOIN public.mt5_sessions AS s ON p.session_id = s.session_id
WHERE s.is_active;

COMMENT ON VIEW public.open_positions_with_session IS
'Every column of trading_positions, with account number, broker and owner; active sessions only.';
COMMENT ON COLUMN public.open_positions_with_session.id IS 'Surrogate key of the position.';
COMMENT ON COLUMN public.open_positions_with_session.session_id IS
'Session that reports the position.';
COMMENT ON COLUMN public.open_positions_with_session.ticket IS
'Position ticket of MT5, unique within the account.';
COMMENT ON COLUMN public.open_positions_with_session.symbol IS 'Symbol as the broker spells it.';
COMMENT ON COLUMN public.open_positions_with_session.type IS 'BUY (long) or SELL (short).';
COMMENT ON COLUMN public.open_positions_with_session.volume IS 'Volume in lots.';
COMMENT ON COLUMN public.open_positions_with_session.open_price IS
'Price of opening, quote currency.';
COMMENT ON COLUMN public.open_positions_with_session.current_price IS
'Latest price, quote currency.';
COMMENT ON COLUMN public.open_positions_with_session.sl IS
'Stop loss, quote currency; NULL for none.';
COMMENT ON COLUMN public.open_positions_with_session.tp IS
'Take profit, quote currency; NULL for none.';
COMMENT ON COLUMN public.open_positions_with_session.profit IS
'Floating result, account currency; a loss is negative.';
COMMENT ON COLUMN public.open_positions_with_session.swap IS
'Accumulated swap, account currency; a charge is negative.';
COMMENT ON COLUMN public.open_positions_with_session.commission IS
'Commission so far, account currency; a charge is negative.';
COMMENT ON COLUMN public.open_positions_with_session.open_time IS 'Time of opening, UTC.';
COMMENT ON COLUMN public.open_positions_with_session.updated_at IS 'Time of the last change, UTC.';
COMMENT ON COLUMN public.open_positions_with_session.account_id IS 'Trading account.';
COMMENT ON COLUMN public.open_positions_with_session.account_number IS
'Login at the server of the broker.';
COMMENT ON COLUMN public.open_positions_with_session.broker IS 'Name of the broker.';
COMMENT ON COLUMN public.open_positions_with_session.user_id IS 'Owner.';
COMMENT ON COLUMN public.open_positions_with_session.identifier IS
'Position identifier of MT5, which stays when the ticket changes.';
COMMENT ON COLUMN public.open_positions_with_session.time IS
'Time of opening, seconds since 1970 on the server''s clock.';
COMMENT ON COLUMN public.open_positions_with_session.time_msc IS
'Time of opening, milliseconds since 1970 on the server''s clock.';
COMMENT ON COLUMN public.open_positions_with_session.time_update IS
'Time of the last change, seconds since 1970 on the server''s clock.';
COMMENT ON COLUMN public.open_positions_with_session.time_update_msc IS
'Time of the last change, milliseconds since 1970 on the server''s clock.';
COMMENT ON COLUMN public.open_positions_with_session.magic IS
'Magic number: the program that opened the position.';
COMMENT ON COLUMN public.open_positions_with_session.reason IS 'POSITION_REASON of MT5.';
COMMENT ON COLUMN public.open_positions_with_session.comment IS 'Comment, as the broker left it.';
COMMENT ON COLUMN public.open_positions_with_session.external_id IS 'Identifier at the exchange.';
COMMENT ON COLUMN public.open_positions_with_session.raw IS 'The position as MT5 gave it.';
