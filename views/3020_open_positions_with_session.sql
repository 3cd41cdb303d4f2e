-- 3020_open_positions_with_session.sql: open positions with the account they belong to.
-- needs: schema/0160_trading_positions.sql, schema/0350_trading_positions_mt5.sql
-- transaction: yes

CALL deploy.become_owner();

DROP VIEW IF EXISTS public.open_positions_with_session;
CREATE VIEW public.open_positions_with_session
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
