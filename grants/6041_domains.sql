-- 6041_domains.sql: who may ask what a value must be.

CALL deploy.become_owner();

-- A domain asks in the name of whoever casts to it, a table in the name of whoever writes.
GRANT EXECUTE ON FUNCTION
public.are_timeframes(jsonb), public.has_untrimmed(jsonb), public.is_filled(text),
public.is_long_timeframe(text), public.is_timeframe(text), public.is_trimmed(text),
public.timeframe_divides(text, text), public.timeframes()
TO rubi_app, rubi_tenant, rubi_ingest, rubi_readonly, rubi_monitor, rubi_backup;
