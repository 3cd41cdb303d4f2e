-- 0220_market_calendar.sql: open hours of markets, so that gaps in bars have a meaning.

CALL deploy.become_owner();

-- Columns that name a calendar refer to this table: a mistyped name would be a calendar without
-- effect.
CREATE TABLE IF NOT EXISTS public.market_calendar_clocks (
    calendar public.filled_text NOT NULL,
    clock public.server_clock DEFAULT 'UTC' NOT NULL,
    CONSTRAINT market_calendar_clocks_pkey PRIMARY KEY (calendar)
);
COMMENT ON TABLE public.market_calendar_clocks IS
'Calendars, each with the clock of its days and hours.';
COMMENT ON COLUMN public.market_calendar_clocks.calendar IS
'Name of the calendar, such as forex.';
COMMENT ON COLUMN public.market_calendar_clocks.clock IS
'Clock of sessions and holidays: America/New_York+7, UTC.';

CREATE TABLE IF NOT EXISTS public.market_sessions (
    calendar public.filled_text NOT NULL,
    weekday smallint NOT NULL,
    opens interval NOT NULL,
    closes interval NOT NULL,
    CONSTRAINT market_sessions_pkey PRIMARY KEY (calendar, weekday, opens),
    CONSTRAINT market_sessions_calendar_fkey FOREIGN KEY (calendar)
    REFERENCES public.market_calendar_clocks (calendar) ON UPDATE CASCADE,
    CONSTRAINT market_sessions_weekday_known_check CHECK (weekday BETWEEN 1 AND 7),
    CONSTRAINT market_sessions_closes_after_opening_check CHECK (
        opens >= interval '0' AND closes > opens AND closes <= interval '24 hours'
    )
);
COMMENT ON TABLE public.market_sessions IS
'Trading hours of a calendar, week by week. A weekday without a row is closed.';
COMMENT ON COLUMN public.market_sessions.calendar IS 'Name of the calendar.';
COMMENT ON COLUMN public.market_sessions.weekday IS '1 Monday to 7 Sunday.';
COMMENT ON COLUMN public.market_sessions.opens IS
'Time of day from which the market is open, by the calendar''s clock.';
COMMENT ON COLUMN public.market_sessions.closes IS
'Time of day before which the market is open, up to 24:00.';

CREATE TABLE IF NOT EXISTS public.market_holidays (
    calendar public.filled_text NOT NULL,
    day date NOT NULL,
    name public.filled_text NOT NULL,
    opens interval,
    closes interval,
    CONSTRAINT market_holidays_pkey PRIMARY KEY (calendar, day),
    CONSTRAINT market_holidays_calendar_fkey FOREIGN KEY (calendar)
    REFERENCES public.market_calendar_clocks (calendar) ON UPDATE CASCADE,
    CONSTRAINT market_holidays_day_finite_check CHECK (isfinite(day)),
    CONSTRAINT market_holidays_closes_after_opening_check CHECK (
        (opens IS NULL) = (closes IS NULL)
        AND (
            opens IS NULL
            OR (opens >= interval '0' AND opens < closes AND closes <= interval '24 hours')
        )
    )
);
COMMENT ON TABLE public.market_holidays IS
'Days on which a calendar is closed, or open for shorter hours.';
COMMENT ON COLUMN public.market_holidays.calendar IS 'Name of the calendar.';
COMMENT ON COLUMN public.market_holidays.day IS 'The day, by the clock of the calendar.';
COMMENT ON COLUMN public.market_holidays.name IS 'Name of the day.';
COMMENT ON COLUMN public.market_holidays.opens IS 'Opening on that day; NULL when closed all day.';
COMMENT ON COLUMN public.market_holidays.closes IS 'Close on that day; NULL when closed all day.';

CREATE TABLE IF NOT EXISTS public.market_calendars (
    symbol public.symbol_name NOT NULL,
    calendar public.filled_text NOT NULL,
    CONSTRAINT market_calendars_pkey PRIMARY KEY (symbol),
    CONSTRAINT market_calendars_calendar_fkey FOREIGN KEY (calendar)
    REFERENCES public.market_calendar_clocks (calendar) ON UPDATE CASCADE
);
COMMENT ON TABLE public.market_calendars IS
'Calendar that a symbol follows; a symbol without a row follows forex.';
COMMENT ON COLUMN public.market_calendars.symbol IS 'Symbol, as in market_data.';
COMMENT ON COLUMN public.market_calendars.calendar IS 'Name of the calendar.';
