-- 6160_trading_positions.sql: rights on positions.

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON
public.open_positions_with_session, public.trading_positions
TO rubi_app;
GRANT SELECT, DELETE ON public.trading_positions TO rubi_tenant;
GRANT SELECT ON public.open_positions_with_session TO rubi_tenant, rubi_readonly, rubi_backup;
GRANT SELECT ON public.trading_positions TO rubi_readonly, rubi_backup;

-- Without the id: a chosen one would tell by a unique violation that another user has it.
GRANT INSERT (
    session_id, ticket, symbol, type, volume, open_price, current_price, sl, tp, profit, swap,
    commission, open_time
), UPDATE (
    volume, current_price, sl, tp, profit, swap, commission
) ON public.trading_positions TO rubi_tenant;
GRANT USAGE, SELECT ON SEQUENCE public.trading_positions_id_seq TO rubi_app;
GRANT SELECT ON SEQUENCE public.trading_positions_id_seq TO rubi_backup;

CALL deploy.set_tenant_policies('public.trading_positions', 'session_id');
