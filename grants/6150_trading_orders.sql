-- 6150_trading_orders.sql: rights on orders.

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON public.trading_orders TO rubi_app;
GRANT SELECT ON internal.order_claims TO rubi_backup;
GRANT SELECT ON public.trading_orders TO rubi_tenant, rubi_readonly, rubi_backup;

-- Without the id: a chosen one would tell by a unique violation that another user has it.
GRANT INSERT (
    signal_id, user_id, strategy_id, account_id, mt5_order_id, mt5_position_id, symbol, order_type,
    volume, open_price, close_price, stop_loss, take_profit, profit, commission, swap, opened_at,
    closed_at, time_ambiguous, client_request_id
), UPDATE (
    signal_id, strategy_id, account_id, mt5_order_id, mt5_position_id, close_price, stop_loss,
    take_profit, profit, commission, swap, closed_at, time_ambiguous
) ON public.trading_orders TO rubi_tenant;
GRANT USAGE, SELECT ON SEQUENCE public.trading_orders_id_seq TO rubi_app;
GRANT SELECT ON SEQUENCE public.trading_orders_id_seq TO rubi_backup;

CALL deploy.set_tenant_policies('public.trading_orders', 'user_id');
