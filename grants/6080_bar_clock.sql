-- 6080_bar_clock.sql: who may do what with clocks of bars.

CALL deploy.become_owner();

GRANT EXECUTE ON FUNCTION
public.bar_clock_moment(timestamp, text), public.bar_clock_time(timestamptz, text),
public.timeframe_length(text)
TO rubi_app, rubi_readonly;
