-- 0230_market_ticks.sql: ticks, a hypertable.

CALL deploy.become_owner();

-- Several ticks share a millisecond: seq numbers them. Without an identity column: a billion rows
-- pay for every byte, and no row refers to a tick.
CREATE TABLE IF NOT EXISTS public.market_ticks (
    timestamp timestamptz NOT NULL,
    volume bigint DEFAULT 0 NOT NULL,
    flags integer DEFAULT 0 NOT NULL,
    seq smallint DEFAULT 0 NOT NULL,
    symbol text COLLATE "C" NOT NULL,
    bid numeric(20, 8),
    ask numeric(20, 8),
    last numeric(20, 8),
    volume_real numeric(28, 8) DEFAULT 0 NOT NULL,
    CONSTRAINT market_ticks_pkey PRIMARY KEY (symbol, timestamp, seq),
    CONSTRAINT market_ticks_symbol_trimmed_check CHECK (
        symbol::public.symbol_name IS NOT NULL
    ),
    CONSTRAINT market_ticks_seq_not_negative_check CHECK (seq >= 0),
    CONSTRAINT market_ticks_price_present_check CHECK (
        bid IS NOT NULL OR ask IS NOT NULL OR last IS NOT NULL
    ),
    CONSTRAINT market_ticks_prices_not_nan_check CHECK (
        bid <> 'NaN' AND ask <> 'NaN' AND last <> 'NaN'
    ),
    CONSTRAINT market_ticks_volume_not_negative_check CHECK (volume >= 0),
    CONSTRAINT market_ticks_volume_real_not_negative_check CHECK (
        volume_real >= 0 AND volume_real <> 'NaN'
    ),
    -- Ticks were kept from the nineties on; seconds taken for milliseconds would be January 1970.
    -- The owner makes chunks by a row that is deleted.
    CONSTRAINT market_ticks_timestamp_range_check CHECK (
        timestamp BETWEEN '1990-01-01 00:00:00+00' AND now() + interval '24 hours'
        OR (
            current_setting('rubi.makes_chunks', TRUE) IS NOT DISTINCT FROM 'on'
            AND pg_has_role('rubi_owner', 'MEMBER')
        )
    )
);

-- A day of ticks of a symbol is about as much as a month of its M1 bars.
SELECT create_hypertable(
    'public.market_ticks', 'timestamp',
    chunk_time_interval => interval '7 days',
    if_not_exists => TRUE,
    create_default_indexes => FALSE
);

COMMENT ON TABLE public.market_ticks IS
'Ticks for backtesting, with the fields of MT5. Hypertable, 7 days each.';
COMMENT ON COLUMN public.market_ticks.timestamp IS 'Time of the tick, to the millisecond, UTC.';
COMMENT ON COLUMN public.market_ticks.volume IS 'Volume of the last deal, in units.';
COMMENT ON COLUMN public.market_ticks.flags IS
'Changed fields, summed: 2 bid, 4 ask, 8 last, 16 volume, 32 bought, 64 sold.';
COMMENT ON COLUMN public.market_ticks.seq IS 'Order of ticks within one millisecond, from 0.';
COMMENT ON COLUMN public.market_ticks.symbol IS 'Symbol.';
COMMENT ON COLUMN public.market_ticks.bid IS 'Bid at that moment, quote currency; NULL unknown.';
COMMENT ON COLUMN public.market_ticks.ask IS 'Ask at that moment, quote currency; NULL unknown.';
COMMENT ON COLUMN public.market_ticks.last IS
'Price of the last deal, quote currency; NULL without one.';
COMMENT ON COLUMN public.market_ticks.volume_real IS 'Volume of the last deal, with decimals.';
