-- 0210_market_series.sql: facts about each series of bars, and the log of its changes.

CALL deploy.become_owner();

-- bars is kept by folding internal.bar_changes into it: no count scans market_data, and no two
-- loaders wait for each other's row.
CREATE TABLE IF NOT EXISTS public.market_series (
    symbol public.symbol_name NOT NULL,
    timeframe text COLLATE "C" NOT NULL,
    source public.server_name,
    clock public.server_clock DEFAULT 'UTC' NOT NULL,
    bars bigint DEFAULT 0 NOT NULL,
    created_at public.event_time DEFAULT now() NOT NULL,
    CONSTRAINT market_series_pkey PRIMARY KEY (symbol, timeframe),
    -- a mistyped timeframe would be a series that never gets a bar
    CONSTRAINT market_series_timeframe_known_check CHECK (
        public.is_timeframe(timeframe) OR timeframe = 'TICK'
    )
);
COMMENT ON TABLE public.market_series IS
'Series of bars: their source, the clock of their days, the number of bars.';
COMMENT ON COLUMN public.market_series.symbol IS 'Symbol, as in market_data.';
COMMENT ON COLUMN public.market_series.timeframe IS 'MT5 timeframe; TICK for ticks.';
COMMENT ON COLUMN public.market_series.source IS
'Deliverer of the bars, such as a broker''s server; NULL while unknown. A series has one.';
COMMENT ON COLUMN public.market_series.clock IS
'Clock of the source, by which its days begin: America/New_York+7, UTC.';
COMMENT ON COLUMN public.market_series.bars IS
'Bars counted so far; changes not folded yet are in internal.bar_changes.';
COMMENT ON COLUMN public.market_series.created_at IS 'Time when the series was first seen, UTC.';

CREATE TABLE IF NOT EXISTS internal.bar_changes (
    symbol public.symbol_name NOT NULL,
    timeframe public.timeframe NOT NULL,
    bars bigint NOT NULL,
    first_timestamp public.finite_time NOT NULL,
    last_timestamp public.finite_time NOT NULL
);
-- A log without a key: a publication FOR ALL TABLES would refuse every DELETE from this table.
ALTER TABLE internal.bar_changes REPLICA IDENTITY FULL;
COMMENT ON TABLE internal.bar_changes IS
'One row a statement and series that changed bars, until fold_bar_changes() takes it up.';
COMMENT ON COLUMN internal.bar_changes.symbol IS 'Symbol of the series.';
COMMENT ON COLUMN internal.bar_changes.timeframe IS 'Timeframe of the series.';
COMMENT ON COLUMN internal.bar_changes.bars IS 'Bars added, less bars removed; 0 for updates.';
COMMENT ON COLUMN internal.bar_changes.first_timestamp IS
'Earliest bar that changed, included, UTC.';
COMMENT ON COLUMN internal.bar_changes.last_timestamp IS
'Latest bar that changed, included, UTC.';

CREATE TABLE IF NOT EXISTS public.market_rollups (
    symbol public.symbol_name NOT NULL,
    timeframe public.timeframe NOT NULL,
    from_timeframe public.timeframe NOT NULL,
    pending tstzmultirange DEFAULT '{(,)}' NOT NULL,
    refreshed_at public.event_time,
    CONSTRAINT market_rollups_pkey PRIMARY KEY (symbol, timeframe),
    -- A pair that resample_bars() refuses with RB064 would stop the refresh of all later series.
    CONSTRAINT market_rollups_of_whole_bars_check CHECK (
        public.timeframe_divides(from_timeframe, timeframe)
    )
);
COMMENT ON TABLE public.market_rollups IS
'Series that refresh_resampled_bars() keeps in resampled_bars. Insert a row to have one kept.';
COMMENT ON COLUMN public.market_rollups.symbol IS 'Symbol, as in market_data.';
COMMENT ON COLUMN public.market_rollups.timeframe IS 'Timeframe to make.';
COMMENT ON COLUMN public.market_rollups.from_timeframe IS 'Timeframe of the source bars.';
COMMENT ON COLUMN public.market_rollups.pending IS
'Time in which bars changed since the last refresh; all time for a new row.';
COMMENT ON COLUMN public.market_rollups.refreshed_at IS 'Time of the last refresh, UTC.';

-- The same columns as market_data where they mean something.
CREATE TABLE IF NOT EXISTS public.resampled_bars (
    timestamp timestamptz NOT NULL,
    volume bigint NOT NULL,
    bars integer NOT NULL,
    spread integer,
    open public.trading_price NOT NULL,
    high public.trading_price NOT NULL,
    low public.trading_price NOT NULL,
    close public.trading_price NOT NULL,
    real_volume public.figure,
    symbol public.symbol_name NOT NULL,
    timeframe public.timeframe NOT NULL,
    CONSTRAINT resampled_bars_pkey PRIMARY KEY (symbol, timeframe, timestamp),
    -- as in market_data; a bar opens up to a month before its first source bar
    CONSTRAINT resampled_bars_timestamp_range_check CHECK (
        timestamp BETWEEN '1969-12-01 00:00:00+00' AND now() + interval '24 hours'
        OR (
            timestamp >= '1699-12-01 00:00:00+00'
            AND timestamp <= '1970-01-01 00:00:00+00'
            AND public.is_long_timeframe(timeframe)
        )
        OR (
            current_setting('rubi.makes_chunks', TRUE) IS NOT DISTINCT FROM 'on'
            AND pg_has_role('rubi_owner', 'MEMBER')
        )
    )
);
SELECT create_hypertable(
    'public.resampled_bars', 'timestamp',
    chunk_time_interval => interval '360 days',
    if_not_exists => TRUE,
    create_default_indexes => FALSE
);
COMMENT ON TABLE public.resampled_bars IS
'Bars of market_rollups, made of bars of a lower timeframe. Hypertable, 360 days each.';
COMMENT ON COLUMN public.resampled_bars.symbol IS 'Symbol of the series.';
COMMENT ON COLUMN public.resampled_bars.timeframe IS 'Timeframe of this bar.';
COMMENT ON COLUMN public.resampled_bars.timestamp IS 'Opening of the bar, UTC.';
COMMENT ON COLUMN public.resampled_bars.open IS 'Open of the first bar, quote currency.';
COMMENT ON COLUMN public.resampled_bars.high IS 'Highest price, quote currency.';
COMMENT ON COLUMN public.resampled_bars.low IS 'Lowest price, quote currency.';
COMMENT ON COLUMN public.resampled_bars.close IS 'Close of the last bar, quote currency.';
COMMENT ON COLUMN public.resampled_bars.volume IS 'Sum of the tick volumes.';
COMMENT ON COLUMN public.resampled_bars.real_volume IS 'Sum of the real volumes; NULL without any.';
COMMENT ON COLUMN public.resampled_bars.spread IS 'Smallest spread in points; NULL without any.';
COMMENT ON COLUMN public.resampled_bars.bars IS 'Number of source bars in this one.';
