-- 6080_timeframe_length.sql: rights to ask for the length of bars.

CALL deploy.become_owner();

GRANT EXECUTE ON FUNCTION public.timeframe_length(text) TO rubi_app, rubi_readonly;
