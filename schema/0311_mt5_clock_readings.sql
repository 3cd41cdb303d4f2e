-- 0311_mt5_clock_readings.sql: what the clocks of the trade servers were seen to show.

CALL deploy.become_owner();

-- One row for each run of equal readings: a gateway measures every few minutes, for years, and a
-- clock changes twice a year.
CREATE TABLE IF NOT EXISTS public.mt5_clock_readings (
    server public.server_name NOT NULL,
    first_at public.event_time NOT NULL,
    last_at public.event_time NOT NULL,
    times bigint DEFAULT 1 NOT NULL,
    minutes integer NOT NULL,
    symbol public.symbol_name NOT NULL,
    CONSTRAINT mt5_clock_readings_pkey PRIMARY KEY (server, first_at),
    CONSTRAINT mt5_clock_readings_last_after_first_check CHECK (last_at >= first_at),
    CONSTRAINT mt5_clock_readings_times_positive_check CHECK (times > 0),
    -- zones of the world lie between UTC-12 and UTC+14, in quarters of an hour
    CONSTRAINT mt5_clock_readings_minutes_of_a_zone_check CHECK (
        minutes >= -720 AND minutes <= 840 AND minutes % 15 = 0
    )
) WITH (fillfactor = 70);
COMMENT ON TABLE public.mt5_clock_readings IS
'Readings of how far the trade servers'' clocks were ahead of UTC, measured by gateways from ticks
of a market that moves; a row for each run of equal readings.';
COMMENT ON COLUMN public.mt5_clock_readings.server IS 'Trade server, as in mt5_accounts.server.';
COMMENT ON COLUMN public.mt5_clock_readings.first_at IS 'First reading of the run, UTC.';
COMMENT ON COLUMN public.mt5_clock_readings.last_at IS 'Latest reading of the run, UTC.';
COMMENT ON COLUMN public.mt5_clock_readings.times IS 'Number of readings.';
COMMENT ON COLUMN public.mt5_clock_readings.minutes IS
'Minutes that the clock was ahead of UTC, rounded to a quarter of an hour.';
COMMENT ON COLUMN public.mt5_clock_readings.symbol IS
'Symbol whose tick told the latest reading, as the broker spells it.';
