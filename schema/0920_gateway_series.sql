-- 0920_gateway_series.sql: series of bars and ticks that gateways are asked for.

CALL deploy.become_owner();

CREATE TABLE IF NOT EXISTS public.gateway_series (
    account_id bigint NOT NULL,
    is_active boolean DEFAULT TRUE NOT NULL,
    since public.event_time DEFAULT now() - interval '30 days' NOT NULL,
    symbol public.symbol_name NOT NULL,
    timeframe text COLLATE "C" NOT NULL,
    stored_as public.symbol_name,
    CONSTRAINT gateway_series_pkey PRIMARY KEY (account_id, symbol, timeframe),
    CONSTRAINT gateway_series_account_id_fkey FOREIGN KEY (account_id)
    REFERENCES public.mt5_accounts (id) ON DELETE CASCADE,
    CONSTRAINT gateway_series_timeframe_known_check CHECK (
        public.is_timeframe(timeframe) OR timeframe = 'TICK'
    )
);
COMMENT ON TABLE public.gateway_series IS
'Series of bars and ticks that the gateway of an account reads from its terminal. Insert a row to
have one read.';
COMMENT ON COLUMN public.gateway_series.account_id IS 'Trading account whose terminal has it.';
COMMENT ON COLUMN public.gateway_series.is_active IS 'FALSE: no longer read.';
COMMENT ON COLUMN public.gateway_series.since IS
'From when on it is read, UTC; a terminal has as many bars as its option "Max bars in chart" says.';
COMMENT ON COLUMN public.gateway_series.symbol IS 'Symbol as the broker spells it.';
COMMENT ON COLUMN public.gateway_series.timeframe IS 'MT5 timeframe; TICK for ticks.';
COMMENT ON COLUMN public.gateway_series.stored_as IS
'Symbol of the series in market_data or market_ticks; NULL for canonical_symbol(account, symbol).';
