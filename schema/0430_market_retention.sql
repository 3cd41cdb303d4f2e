-- 0430_market_retention.sql: how long bars are kept, and where they were archived.
-- needs: schema/0030_schemas.sql
-- transaction: yes

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
'How long bars are kept. Series without a row are kept for ever.';
COMMENT ON COLUMN public.market_retention.symbol IS 'Symbol, or * for all without a row.';
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
    price_sum numeric NOT NULL,
    volume_sum numeric NOT NULL,
    archived_at public.event_time DEFAULT now() NOT NULL,
    dropped_at public.event_time,
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
COMMENT ON COLUMN public.market_archives.archived_at IS 'When the file was proved equal, UTC.';
COMMENT ON COLUMN public.market_archives.dropped_at IS
'When the bars were dropped here, UTC; NULL while they are still here or again.';
