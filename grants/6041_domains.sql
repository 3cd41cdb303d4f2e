-- 6041_domains.sql: rights to ask for the rules of values.

CALL deploy.become_owner();

-- A domain asks in the name of the casting role, a table in the name of the writing role.
GRANT EXECUTE ON FUNCTION
public.are_timeframes(jsonb), public.has_untrimmed(jsonb), public.is_filled(text),
public.is_long_timeframe(text), public.is_timeframe(text), public.is_trimmed(text),
public.timeframe_divides(text, text), public.timeframes()
TO rubi_app, rubi_tenant, rubi_ingest, rubi_readonly, rubi_monitor, rubi_backup;
