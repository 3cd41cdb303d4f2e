-- 0240_mt5_symbols.sql: instruments of the accounts over time, and their common names.

CALL deploy.become_owner();

-- A version for each set of terms. Tick values follow the exchange rates all day: they are kept up
-- to date in the current version and make no new version.
CREATE TABLE IF NOT EXISTS public.mt5_symbols (
    account_id bigint NOT NULL,
    valid_from public.event_time NOT NULL,
    valid_to timestamptz DEFAULT 'infinity' NOT NULL,
    seen_at public.event_time NOT NULL,
    symbol public.symbol_name NOT NULL,
    description public.short_text,
    path public.short_text,
    currency_base public.short_text,
    currency_profit public.short_text,
    currency_margin public.short_text,
    digits integer NOT NULL,
    trade_calc_mode public.mt5_code,
    trade_mode public.mt5_code,
    trade_exemode public.mt5_code,
    trade_stops_level integer,
    trade_freeze_level integer,
    filling_mode public.mt5_code,
    expiration_mode public.mt5_code,
    order_mode public.mt5_code,
    swap_mode public.mt5_code,
    swap_rollover3days public.mt5_code,
    expiration_time bigint,
    point public.trading_price,
    trade_contract_size public.mt5_amount NOT NULL,
    trade_tick_size public.trading_price,
    trade_tick_value public.mt5_amount,
    trade_tick_value_profit public.mt5_amount,
    trade_tick_value_loss public.mt5_amount,
    volume_min public.trading_price,
    volume_max public.mt5_amount,
    volume_step public.trading_price,
    volume_limit public.mt5_amount,
    swap_long public.mt5_amount,
    swap_short public.mt5_amount,
    margin_initial public.mt5_amount,
    margin_maintenance public.mt5_amount,
    margin_hedged public.mt5_amount,
    raw public.json_document NOT NULL,
    CONSTRAINT mt5_symbols_pkey PRIMARY KEY (account_id, symbol, valid_from),
    CONSTRAINT mt5_symbols_account_id_fkey FOREIGN KEY (account_id)
    REFERENCES public.mt5_accounts (id) ON DELETE CASCADE,
    -- infinity: these are the current terms
    CONSTRAINT mt5_symbols_valid_to_after_from_check CHECK (valid_to >= valid_from)
);
CREATE UNIQUE INDEX IF NOT EXISTS mt5_symbols_current_key
ON public.mt5_symbols (account_id, symbol) WHERE valid_to = 'infinity';
COMMENT ON INDEX public.mt5_symbols_current_key IS
'A symbol of an account has one current row; looking up its terms.';

COMMENT ON TABLE public.mt5_symbols IS
'Terms of trading of each instrument, a row for each time they changed. The current row has
valid_to infinity.';
COMMENT ON COLUMN public.mt5_symbols.account_id IS 'Trading account that is offered these terms.';
COMMENT ON COLUMN public.mt5_symbols.valid_from IS
'Time when these terms were first seen, included, UTC.';
COMMENT ON COLUMN public.mt5_symbols.valid_to IS
'Time when other terms were first seen, not included, UTC; infinity for the current ones.';
COMMENT ON COLUMN public.mt5_symbols.seen_at IS 'Time when these terms were last seen, UTC.';
COMMENT ON COLUMN public.mt5_symbols.symbol IS 'Symbol as the broker spells it (field name).';
COMMENT ON COLUMN public.mt5_symbols.description IS 'Description of the instrument.';
COMMENT ON COLUMN public.mt5_symbols.path IS 'Place in the terminal''s tree of symbols.';
COMMENT ON COLUMN public.mt5_symbols.currency_base IS 'Currency of the volume.';
COMMENT ON COLUMN public.mt5_symbols.currency_profit IS 'Currency of the price.';
COMMENT ON COLUMN public.mt5_symbols.currency_margin IS 'Currency of the margin.';
COMMENT ON COLUMN public.mt5_symbols.digits IS 'Decimals of the price.';
COMMENT ON COLUMN public.mt5_symbols.trade_calc_mode IS 'Way of computing margin and profit.';
COMMENT ON COLUMN public.mt5_symbols.trade_mode IS
'0 disabled, 1 long only, 2 short only, 3 close only, 4 full.';
COMMENT ON COLUMN public.mt5_symbols.trade_exemode IS
'0 request, 1 instant, 2 market, 3 exchange.';
COMMENT ON COLUMN public.mt5_symbols.trade_stops_level IS
'Least distance of stops from the price, points.';
COMMENT ON COLUMN public.mt5_symbols.trade_freeze_level IS
'Distance within which orders are frozen, points.';
COMMENT ON COLUMN public.mt5_symbols.filling_mode IS 'Flags of allowed fillings.';
COMMENT ON COLUMN public.mt5_symbols.expiration_mode IS 'Flags of allowed expirations.';
COMMENT ON COLUMN public.mt5_symbols.order_mode IS 'Flags of allowed order types.';
COMMENT ON COLUMN public.mt5_symbols.swap_mode IS 'Way of computing swap.';
COMMENT ON COLUMN public.mt5_symbols.swap_rollover3days IS
'Day of the threefold swap, 0 for Sunday.';
COMMENT ON COLUMN public.mt5_symbols.expiration_time IS
'Last day of trading, seconds since 1970 on the server''s clock; 0 for none.';
COMMENT ON COLUMN public.mt5_symbols.point IS 'Value of one point in the price.';
COMMENT ON COLUMN public.mt5_symbols.trade_contract_size IS 'Units in one lot.';
COMMENT ON COLUMN public.mt5_symbols.trade_tick_size IS 'Least change of the price.';
COMMENT ON COLUMN public.mt5_symbols.trade_tick_value IS
'Worth of one tick and lot, account currency; as last seen.';
COMMENT ON COLUMN public.mt5_symbols.trade_tick_value_profit IS
'Worth of one tick and lot of a winning position, account currency; as last seen.';
COMMENT ON COLUMN public.mt5_symbols.trade_tick_value_loss IS
'Worth of one tick and lot of a losing position, account currency; as last seen.';
COMMENT ON COLUMN public.mt5_symbols.volume_min IS 'Least volume, lots.';
COMMENT ON COLUMN public.mt5_symbols.volume_max IS 'Largest volume, lots.';
COMMENT ON COLUMN public.mt5_symbols.volume_step IS 'Step of the volume, lots.';
COMMENT ON COLUMN public.mt5_symbols.volume_limit IS
'Most volume in one direction, lots; 0 for no limit.';
COMMENT ON COLUMN public.mt5_symbols.swap_long IS 'Swap of a long position, unit by swap_mode.';
COMMENT ON COLUMN public.mt5_symbols.swap_short IS 'Swap of a short position, unit by swap_mode.';
COMMENT ON COLUMN public.mt5_symbols.margin_initial IS 'Margin to open one lot.';
COMMENT ON COLUMN public.mt5_symbols.margin_maintenance IS 'Margin to keep one lot.';
COMMENT ON COLUMN public.mt5_symbols.margin_hedged IS 'Contract size of hedged volume.';
COMMENT ON COLUMN public.mt5_symbols.raw IS 'The element that began the version, as MT5 gave it.';

CREATE TABLE IF NOT EXISTS public.mt5_symbol_map (
    account_id bigint NOT NULL,
    symbol public.symbol_name NOT NULL,
    canonical_symbol public.symbol_name NOT NULL,
    is_derived boolean DEFAULT FALSE NOT NULL,
    CONSTRAINT mt5_symbol_map_pkey PRIMARY KEY (account_id, symbol),
    CONSTRAINT mt5_symbol_map_account_id_fkey FOREIGN KEY (account_id)
    REFERENCES public.mt5_accounts (id) ON DELETE CASCADE
);
COMMENT ON TABLE public.mt5_symbol_map IS
'Common name of an account''s symbol: EURUSD.m is EURUSD. A symbol without a row keeps its name.';
COMMENT ON COLUMN public.mt5_symbol_map.account_id IS 'Trading account.';
COMMENT ON COLUMN public.mt5_symbol_map.symbol IS 'Symbol as the broker spells it.';
COMMENT ON COLUMN public.mt5_symbol_map.canonical_symbol IS 'Symbol as in market_data.';
COMMENT ON COLUMN public.mt5_symbol_map.is_derived IS
'TRUE when made from the currencies of the instrument; a row set by hand is never replaced.';
