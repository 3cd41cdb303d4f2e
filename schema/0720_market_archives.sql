-- 0720_market_archives.sql: retention of bars, and their archives.

CALL deploy.become_owner();

CREATE TABLE IF NOT EXISTS public.market_retention (
    symbol public.symbol_name NOT NULL,
    timeframe public.timeframe NOT NULL,
    keep_for interval NOT NULL,
    archive boolean DEFAULT TRUE NOT NULL,
    CONSTRAINT market_retention_pkey PRIMARY KEY (symbol, timeframe),
    CONSTRAINT market_retention_keep_for_positive_check CHECK (keep_for > interval '0')
);
COMMENT ON TABLE public.market_retention IS
'Retention of bars. Series without a row are kept for ever.';
COMMENT ON COLUMN public.market_retention.symbol IS 'Symbol, or * for all symbols without a row.';
COMMENT ON COLUMN public.market_retention.timeframe IS 'Timeframe.';
COMMENT ON COLUMN public.market_retention.keep_for IS
'Bars of calendar months (UTC) that ended longer ago than this expire.';
COMMENT ON COLUMN public.market_retention.archive IS
'Whether a month is dropped only after scripts/archive_bars.py proved a copy of it.';

CREATE TABLE IF NOT EXISTS public.market_archives (
    symbol public.symbol_name NOT NULL,
    timeframe public.timeframe NOT NULL,
    month date NOT NULL,
    location public.short_text NOT NULL,
    sha256 text NOT NULL,
    bars bigint NOT NULL,
    price_sum public.figure NOT NULL,
    volume_sum public.figure NOT NULL,
    archived_at public.event_time DEFAULT now() NOT NULL,
    dropped_at public.event_time,
    row_hash public.figure,
    CONSTRAINT market_archives_pkey PRIMARY KEY (symbol, timeframe, month),
    CONSTRAINT market_archives_month_begins_check CHECK (
        isfinite(month) AND date_part('day', month) = 1
    ),
    CONSTRAINT market_archives_sha256_form_check CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT market_archives_bars_positive_check CHECK (bars > 0)
);
COMMENT ON TABLE public.market_archives IS
'Months of bars written to Parquet, read back and found equal by scripts/archive_bars.py.';
COMMENT ON COLUMN public.market_archives.symbol IS 'Symbol of the series.';
COMMENT ON COLUMN public.market_archives.timeframe IS 'Timeframe of the series.';
COMMENT ON COLUMN public.market_archives.month IS 'First day of the month, UTC.';
COMMENT ON COLUMN public.market_archives.location IS 'File, as the script named it.';
COMMENT ON COLUMN public.market_archives.sha256 IS 'SHA-256 of the file in hex.';
COMMENT ON COLUMN public.market_archives.bars IS 'Bars in the file.';
COMMENT ON COLUMN public.market_archives.price_sum IS
'Sum of open, high, low and close over all bars, quote currency.';
COMMENT ON COLUMN public.market_archives.volume_sum IS
'Sum of tick volumes, real volumes and spreads over all bars.';
COMMENT ON COLUMN public.market_archives.archived_at IS 'Time when the file was proved equal, UTC.';
COMMENT ON COLUMN public.market_archives.dropped_at IS
'Time when the bars were dropped here, UTC; NULL while the table has them.';
COMMENT ON COLUMN public.market_archives.row_hash IS
'hash_bars() of the month when it was archived. NULL in an older note: its bars are not dropped
until they are archived again.';

-- A month lies in two or three chunks, each dropped in a transaction of its own. The rest of a
-- month after an interrupted run no longer equals its archive, so the parts that may go are noted
-- by chunk.
CREATE TABLE IF NOT EXISTS internal.expired_bars (
    symbol public.symbol_name NOT NULL,
    timeframe public.timeframe NOT NULL,
    month date NOT NULL,
    range_start public.finite_time NOT NULL,
    range_end public.finite_time NOT NULL,
    row_hash public.figure,
    CONSTRAINT expired_bars_pkey PRIMARY KEY (symbol, timeframe, range_start),
    CONSTRAINT expired_bars_month_finite_check CHECK (isfinite(month))
);
COMMENT ON TABLE internal.expired_bars IS
'Parts of months that drop_expired_bars() is about to drop, a row a series, month and chunk. Empty
except during a run, or after an interrupted one.';
COMMENT ON COLUMN internal.expired_bars.symbol IS 'Symbol of the series.';
COMMENT ON COLUMN internal.expired_bars.timeframe IS 'Timeframe of the series.';
COMMENT ON COLUMN internal.expired_bars.month IS 'First day of the month, UTC.';
COMMENT ON COLUMN internal.expired_bars.range_start IS 'Beginning of the part, included, UTC.';
COMMENT ON COLUMN internal.expired_bars.range_end IS 'End of the part, not included, UTC.';
COMMENT ON COLUMN internal.expired_bars.row_hash IS
'hash_bars() of the part when its month was found equal to its archive; NULL where no archive is
asked for.';
