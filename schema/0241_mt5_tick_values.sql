-- 0241_mt5_tick_values.sql: what a move of the price was worth, as it changed.

CALL deploy.become_owner();

-- The current version of an instrument (mt5_symbols) has the latest tick values only; what a trade
-- risked is measured by those of its opening. The gateway looks each hour at the symbols it is
-- asked for: at most 24 rows a symbol and day, one for ever where no rate is in between.
CREATE TABLE IF NOT EXISTS public.mt5_tick_values (
    account_id bigint NOT NULL,
    taken_at public.event_time NOT NULL,
    seen_at public.event_time NOT NULL,
    symbol public.symbol_name NOT NULL,
    currency_profit public.short_text,
    trade_calc_mode public.mt5_code,
    trade_contract_size public.mt5_amount NOT NULL,
    trade_tick_size public.trading_price,
    trade_tick_value public.mt5_amount,
    trade_tick_value_profit public.mt5_amount,
    trade_tick_value_loss public.mt5_amount,
    CONSTRAINT mt5_tick_values_pkey PRIMARY KEY (account_id, symbol, taken_at),
    CONSTRAINT mt5_tick_values_account_id_fkey FOREIGN KEY (account_id)
    REFERENCES public.mt5_accounts (id) ON DELETE CASCADE,
    CONSTRAINT mt5_tick_values_seen_after_taken_check CHECK (seen_at >= taken_at)
) WITH (fillfactor = 90);
COMMENT ON TABLE public.mt5_tick_values IS
'Worth of a move of the price over time, a row for each change. Written by ingest_mt5_symbols.';
COMMENT ON COLUMN public.mt5_tick_values.account_id IS 'Trading account.';
COMMENT ON COLUMN public.mt5_tick_values.taken_at IS 'Time when these values were first seen, UTC.';
COMMENT ON COLUMN public.mt5_tick_values.seen_at IS 'Time when they were last seen, UTC.';
COMMENT ON COLUMN public.mt5_tick_values.symbol IS 'Symbol as the broker spells it.';
COMMENT ON COLUMN public.mt5_tick_values.currency_profit IS 'Currency of the price.';
COMMENT ON COLUMN public.mt5_tick_values.trade_calc_mode IS 'Way of computing margin and profit.';
COMMENT ON COLUMN public.mt5_tick_values.trade_contract_size IS 'Units in one lot.';
COMMENT ON COLUMN public.mt5_tick_values.trade_tick_size IS 'Least change of the price.';
COMMENT ON COLUMN public.mt5_tick_values.trade_tick_value IS
'Worth of one tick and lot, account currency.';
COMMENT ON COLUMN public.mt5_tick_values.trade_tick_value_profit IS
'Worth of one tick and lot of a winning position, account currency.';
COMMENT ON COLUMN public.mt5_tick_values.trade_tick_value_loss IS
'Worth of one tick and lot of a losing position, account currency.';
