-- 0340_mt5_orders.sql: order history of the accounts, those that never filled included.

CALL deploy.become_owner();

CREATE TABLE IF NOT EXISTS public.mt5_orders (
    account_id bigint NOT NULL,
    ticket public.mt5_ticket NOT NULL,
    time_setup bigint NOT NULL,
    time_setup_msc bigint NOT NULL,
    time_done bigint,
    time_done_msc bigint,
    time_expiration bigint,
    magic bigint,
    position_id public.mt5_number,
    position_by_id public.mt5_number,
    setup_at public.event_time NOT NULL,
    done_at public.event_time,
    expires_at public.finite_time,
    stored_at public.event_time DEFAULT now() NOT NULL,
    gone_since public.event_time,
    type public.mt5_code NOT NULL,
    type_time public.mt5_code,
    type_filling public.mt5_code,
    state public.mt5_code NOT NULL,
    reason public.mt5_code,
    time_ambiguous boolean NOT NULL,
    volume_initial public.order_volume NOT NULL,
    volume_current public.order_volume NOT NULL,
    price_open public.trading_price,
    sl public.trading_price,
    tp public.trading_price,
    price_current public.trading_price,
    price_stoplimit public.trading_price,
    symbol public.symbol_name NOT NULL,
    comment public.short_text,
    external_id public.short_text,
    source text NOT NULL,
    raw public.json_document NOT NULL,
    CONSTRAINT mt5_orders_pkey PRIMARY KEY (account_id, ticket),
    CONSTRAINT mt5_orders_account_id_fkey FOREIGN KEY (account_id)
    REFERENCES public.mt5_accounts (id),
    CONSTRAINT mt5_orders_source_known_check CHECK (source IN ('api', 'report'))
);

-- A new account is in no statistics of this column: the planner then takes its rows for one, and
-- any index that begins with the account for as good as the one that has the ticket, so that each
-- batch of a first load read all batches before it. Without statistics an account is half a percent
-- of the table.
ALTER TABLE public.mt5_orders ALTER COLUMN account_id SET STATISTICS 0;

COMMENT ON TABLE public.mt5_orders IS
'Orders of the accounts as MT5 gave them, filled, cancelled, rejected, expired or still waiting.';
COMMENT ON COLUMN public.mt5_orders.account_id IS 'Trading account.';
COMMENT ON COLUMN public.mt5_orders.ticket IS 'Order ticket, unique within the account.';
COMMENT ON COLUMN public.mt5_orders.time_setup IS
'Time of placing, seconds since 1970 on the server''s clock.';
COMMENT ON COLUMN public.mt5_orders.time_setup_msc IS
'Time of placing, milliseconds since 1970 on the server''s clock.';
COMMENT ON COLUMN public.mt5_orders.time_done IS
'Time when the order was done, seconds since 1970 on the server''s clock; 0 while waiting.';
COMMENT ON COLUMN public.mt5_orders.time_done_msc IS
'Time when the order was done, milliseconds since 1970 on the server''s clock; 0 while waiting.';
COMMENT ON COLUMN public.mt5_orders.time_expiration IS
'Time of expiration, seconds since 1970 on the server''s clock; 0 for never.';
COMMENT ON COLUMN public.mt5_orders.magic IS 'Number of the program that asked for it.';
COMMENT ON COLUMN public.mt5_orders.position_id IS
'Position it opened or acted on; 0 for none, NULL when not given (reports).';
COMMENT ON COLUMN public.mt5_orders.position_by_id IS
'Opposite position of a close by; 0 for none.';
COMMENT ON COLUMN public.mt5_orders.setup_at IS 'time_setup_msc in UTC.';
COMMENT ON COLUMN public.mt5_orders.done_at IS 'time_done_msc in UTC; NULL while waiting.';
COMMENT ON COLUMN public.mt5_orders.expires_at IS 'time_expiration in UTC; NULL for never.';
COMMENT ON COLUMN public.mt5_orders.stored_at IS 'Time when the row was first stored, UTC.';
COMMENT ON COLUMN public.mt5_orders.gone_since IS
'First reading of the history that lacked it, UTC: brokers archive what is old. NULL while the
terminal returns it.';
COMMENT ON COLUMN public.mt5_orders.type IS 'Code, kind order_type of mt5_codes.';
COMMENT ON COLUMN public.mt5_orders.type_time IS 'Code, kind order_time of mt5_codes.';
COMMENT ON COLUMN public.mt5_orders.type_filling IS 'Code, kind order_filling of mt5_codes.';
COMMENT ON COLUMN public.mt5_orders.state IS 'Code, kind order_state of mt5_codes.';
COMMENT ON COLUMN public.mt5_orders.reason IS 'Code, kind order_reason of mt5_codes.';
COMMENT ON COLUMN public.mt5_orders.time_ambiguous IS
'TRUE when the server''s clock shows one of its times twice.';
COMMENT ON COLUMN public.mt5_orders.volume_initial IS 'Volume asked for, lots.';
COMMENT ON COLUMN public.mt5_orders.volume_current IS 'Volume not filled, lots.';
COMMENT ON COLUMN public.mt5_orders.price_open IS 'Price asked for; 0 at market.';
COMMENT ON COLUMN public.mt5_orders.sl IS 'Stop loss; 0 for none.';
COMMENT ON COLUMN public.mt5_orders.tp IS 'Take profit; 0 for none.';
COMMENT ON COLUMN public.mt5_orders.price_current IS 'Price of the symbol at the end.';
COMMENT ON COLUMN public.mt5_orders.price_stoplimit IS
'Price of the limit order that a stop limit order places; 0 for none.';
COMMENT ON COLUMN public.mt5_orders.symbol IS 'Symbol as the broker spells it.';
COMMENT ON COLUMN public.mt5_orders.comment IS 'Comment; brokers overwrite it.';
COMMENT ON COLUMN public.mt5_orders.external_id IS 'Number at the exchange.';
COMMENT ON COLUMN public.mt5_orders.source IS
'api: from the terminal''s programming interface. report: from a trade history report.';
COMMENT ON COLUMN public.mt5_orders.raw IS 'The element as it was given.';
