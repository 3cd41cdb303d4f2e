-- 6080_timeframe_length.sql: who may ask how long bars are.

CALL deploy.become_owner();

GRANT EXECUTE ON FUNCTION public.timeframe_length(text) TO rubi_app, rubi_readonly;
