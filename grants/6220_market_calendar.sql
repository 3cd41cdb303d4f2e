-- 6220_market_calendar.sql: rights on calendars of markets.

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON
public.market_calendar_clocks, public.market_calendars, public.market_holidays,
public.market_sessions
TO rubi_app;
GRANT SELECT ON
public.market_calendar_clocks, public.market_calendars, public.market_holidays,
public.market_sessions
TO rubi_readonly, rubi_backup;

GRANT EXECUTE ON FUNCTION
public.find_bar_gaps(text, text, timestamptz, timestamptz, interval),
public.open_hours(text, timestamptz, timestamptz)
TO rubi_app, rubi_readonly;
