-- 0405_market_series_timeframes.sql: series have MT5's timeframes, and are made of whole bars.
-- needs: schema/0400_market_series.sql
-- transaction: yes

CALL deploy.become_owner();

-- A mistyped timeframe would be a series that never gets a bar: market_data refuses them.
DELETE FROM public.market_series AS s
WHERE s.timeframe NOT IN (
    'M1', 'M2', 'M3', 'M4', 'M5', 'M6', 'M10', 'M12', 'M15', 'M20', 'M30',
    'H1', 'H2', 'H3', 'H4', 'H6', 'H8', 'H12', 'D1', 'W1', 'MN1', 'TICK'
);

DO $$
BEGIN
    ALTER TABLE public.market_series
    ADD CONSTRAINT market_series_timeframe_known_check CHECK (
        timeframe IN (
            'M1', 'M2', 'M3', 'M4', 'M5', 'M6', 'M10', 'M12', 'M15', 'M20', 'M30',
            'H1', 'H2', 'H3', 'H4', 'H6', 'H8', 'H12', 'D1', 'W1', 'MN1', 'TICK'
        )
    );
EXCEPTION WHEN duplicate_object THEN
    NULL; -- there since an earlier run
END
$$;

-- What resample_bars() refuses with RB064 would stop the refresh of all series behind it. Bars of
-- minutes and hours are made of those whose length divides theirs, days of all below.
DO $$
BEGIN
    ALTER TABLE public.market_rollups
    ADD CONSTRAINT market_rollups_of_whole_bars_check CHECK (
        CASE
            WHEN timeframe IN ('M2', 'M3', 'M5') THEN from_timeframe = 'M1'
            WHEN timeframe = 'M4' THEN from_timeframe IN ('M1', 'M2')
            WHEN timeframe = 'M6' THEN from_timeframe IN ('M1', 'M2', 'M3')
            WHEN timeframe = 'M10' THEN from_timeframe IN ('M1', 'M2', 'M5')
            WHEN timeframe = 'M12' THEN from_timeframe IN ('M1', 'M2', 'M3', 'M4', 'M6')
            WHEN timeframe = 'M15' THEN from_timeframe IN ('M1', 'M3', 'M5')
            WHEN timeframe = 'M20' THEN from_timeframe IN ('M1', 'M2', 'M4', 'M5', 'M10')
            WHEN timeframe = 'M30'
                THEN from_timeframe IN ('M1', 'M2', 'M3', 'M5', 'M6', 'M10', 'M15')
            WHEN timeframe NOT IN ('H1', 'H2', 'H3', 'H4', 'H6', 'H8', 'H12', 'D1', 'W1', 'MN1')
                THEN FALSE
            WHEN
                from_timeframe IN (
                    'M1', 'M2', 'M3', 'M4', 'M5', 'M6', 'M10', 'M12', 'M15', 'M20', 'M30'
                )
                THEN TRUE
            WHEN timeframe = 'H1' THEN FALSE
            WHEN timeframe IN ('H2', 'H3') THEN from_timeframe = 'H1'
            WHEN timeframe = 'H4' THEN from_timeframe IN ('H1', 'H2')
            WHEN timeframe = 'H6' THEN from_timeframe IN ('H1', 'H2', 'H3')
            WHEN timeframe = 'H8' THEN from_timeframe IN ('H1', 'H2', 'H4')
            WHEN timeframe = 'H12' THEN from_timeframe IN ('H1', 'H2', 'H3', 'H4', 'H6')
            WHEN from_timeframe IN ('H1', 'H2', 'H3', 'H4', 'H6', 'H8', 'H12') THEN TRUE
            ELSE timeframe IN ('W1', 'MN1') AND from_timeframe = 'D1'
        END
    );
EXCEPTION WHEN duplicate_object THEN
    NULL; -- there since an earlier run
END
$$;
