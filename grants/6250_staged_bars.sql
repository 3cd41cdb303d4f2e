-- 6250_staged_bars.sql: rights on staged bars.

CALL deploy.become_owner();

GRANT EXECUTE ON FUNCTION
internal.log_bars_without_trigger(text, text, bigint, tstzrange),
internal.reject_staged_twins(public.server_clock),
internal.check_conflict_mode(text),
internal.reject_staged_bars(text, public.server_clock),
internal.write_staged_bars(text, text, public.server_clock, text, tstzrange, bigint),
public.merge_staged_bars(text, text, text, text, text), public.stage_bars()
TO rubi_app;
GRANT EXECUTE ON FUNCTION
public.ingest_bars(text, text, jsonb, text, text)
TO rubi_app, rubi_ingest;
