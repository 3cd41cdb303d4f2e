-- 2371_told_values.sql: what events tell of a position, order, deal or account.

CALL deploy.become_owner();

-- Values go by the names of the columns. NULLs are left out. The functions have no
-- path of their own and become part of the expression that calls them.
CREATE OR REPLACE FUNCTION internal.told_of_position(p public.trading_positions)
RETURNS jsonb
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
    SELECT CASE
        -- MT5 does not know the row: the API wrote it
        WHEN p.identifier IS NOT NULL THEN jsonb_strip_nulls(jsonb_build_object(
            'ticket', p.ticket, 'symbol', p.symbol, 'type', p.type, 'volume', trim_scale(p.volume),
            'open_price', trim_scale(p.open_price), 'sl', trim_scale(p.sl), 'tp', trim_scale(p.tp),
            'time_msc', p.time_msc, 'magic', p.magic, 'reason', p.reason, 'comment', p.comment,
            'external_id', p.external_id
        ))
    END
$$;
COMMENT ON FUNCTION internal.told_of_position(public.trading_positions) IS
'What events tell of a position; NULL for a row without identifier.';
REVOKE ALL ON FUNCTION internal.told_of_position(public.trading_positions) FROM public;

CREATE OR REPLACE FUNCTION internal.told_of_order(p public.mt5_orders)
RETURNS jsonb
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object(
        'time_setup_msc', p.time_setup_msc, 'time_done_msc', p.time_done_msc,
        'time_expiration', p.time_expiration, 'type', p.type, 'type_time', p.type_time,
        'type_filling', p.type_filling, 'state', p.state, 'magic', p.magic,
        'position_id', p.position_id, 'position_by_id', p.position_by_id, 'reason', p.reason,
        'volume_initial', trim_scale(p.volume_initial),
        'volume_current', trim_scale(p.volume_current), 'price_open', trim_scale(p.price_open),
        'sl', trim_scale(p.sl), 'tp', trim_scale(p.tp),
        'price_stoplimit', trim_scale(p.price_stoplimit), 'symbol', p.symbol,
        'comment', p.comment, 'external_id', p.external_id, 'gone_since', p.gone_since
    ))
$$;
COMMENT ON FUNCTION internal.told_of_order(public.mt5_orders) IS 'What events tell of an order.';
REVOKE ALL ON FUNCTION internal.told_of_order(public.mt5_orders) FROM public;

CREATE OR REPLACE FUNCTION internal.told_of_deal(p public.trading_deals)
RETURNS jsonb
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object(
        'order_ticket', p.order_ticket, 'time_msc', p.time_msc, 'position_id', p.position_id,
        'magic', p.magic, 'type', p.type, 'entry', p.entry, 'reason', p.reason,
        'volume', trim_scale(p.volume), 'price', trim_scale(p.price),
        'commission', trim_scale(p.commission), 'swap', trim_scale(p.swap),
        'profit', trim_scale(p.profit), 'fee', trim_scale(p.fee), 'symbol', p.symbol,
        'comment', p.comment, 'external_id', p.external_id, 'gone_since', p.gone_since
    ))
$$;
COMMENT ON FUNCTION internal.told_of_deal(public.trading_deals) IS
'What events tell of a deal that is rewritten.';
REVOKE ALL ON FUNCTION internal.told_of_deal(public.trading_deals) FROM public;

CREATE OR REPLACE FUNCTION internal.told_of_account(p public.mt5_account_states)
RETURNS jsonb
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
    SELECT CASE
        -- NULL before the first state. Without name and login: events have more readers than the
        -- account's holder.
        WHEN p.taken_at IS NOT NULL THEN jsonb_strip_nulls(jsonb_build_object(
            'trade_mode', p.trade_mode, 'leverage', p.leverage, 'limit_orders', p.limit_orders,
            'margin_so_mode', p.margin_so_mode, 'trade_allowed', p.trade_allowed,
            'trade_expert', p.trade_expert, 'margin_mode', p.margin_mode,
            'currency_digits', p.currency_digits, 'fifo_close', p.fifo_close,
            'credit', trim_scale(p.credit), 'margin_so_call', trim_scale(p.margin_so_call),
            'margin_so_so', trim_scale(p.margin_so_so), 'server', p.server, 'currency', p.currency,
            'company', p.company
        ))
    END
$$;
COMMENT ON FUNCTION internal.told_of_account(public.mt5_account_states) IS
'What events tell of an account; NULL before its first state.';
REVOKE ALL ON FUNCTION internal.told_of_account(public.mt5_account_states) FROM public;
