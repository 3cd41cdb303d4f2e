-- 0435_market_archive_hashes.sql: archives are compared row by row, an interrupted drop goes on.
-- needs: schema/0430_market_retention.sql, schema/0030_schemas.sql
-- transaction: yes

CALL deploy.become_owner();

ALTER TABLE public.market_archives ADD COLUMN IF NOT EXISTS row_hash numeric;
COMMENT ON COLUMN public.market_archives.row_hash IS
'hash_bars() of the month when it was archived. NULL in an older note: its bars are not dropped
until they are archived again.';

-- A month lies in two or three chunks, each dropped in a transaction of its own. What is left of it
-- when a run is interrupted is no longer equal to its archive, so what may go is noted by chunk.
CREATE TABLE IF NOT EXISTS internal.expired_bars (
    symbol public.key_text NOT NULL,
    timeframe public.key_text NOT NULL,
    month date NOT NULL,
    since public.finite_time NOT NULL,
    until public.finite_time NOT NULL,
    row_hash numeric,
    CONSTRAINT expired_bars_pkey PRIMARY KEY (symbol, timeframe, since),
    CONSTRAINT expired_bars_month_finite_check CHECK (isfinite(month))
);
COMMENT ON TABLE internal.expired_bars IS
'Parts of months that drop_expired_bars() is about to drop, a row a series, month and chunk. Empty
but while it is at work, or when it was interrupted.';
COMMENT ON COLUMN internal.expired_bars.symbol IS 'Symbol of the series.';
COMMENT ON COLUMN internal.expired_bars.timeframe IS 'Timeframe of the series.';
COMMENT ON COLUMN internal.expired_bars.month IS 'First day of the month, UTC.';
COMMENT ON COLUMN internal.expired_bars.since IS 'Where the part begins, UTC.';
COMMENT ON COLUMN internal.expired_bars.until IS 'Where it ends, UTC, not included.';
COMMENT ON COLUMN internal.expired_bars.row_hash IS
'hash_bars() of the part when its month was found equal to its archive; NULL where none is asked
for.';
