-- 6410_market_data.sql: who may do what with market data.
-- needs: grants/6010_roles.sql and the files 0400 to 4499
-- transaction: yes

RESET ROLE;

-- load_bars.py stages a file in a temporary table; on a managed service the right is everybody's.
DO $$
BEGIN
    IF has_database_privilege(current_database(), 'TEMPORARY WITH GRANT OPTION') THEN
        EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO rubi_app', current_database());
    END IF;
END
$$;

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON
public.market_archives, public.market_calendars, public.market_holidays, public.market_retention,
public.market_rollups, public.market_series, public.market_sessions, public.market_ticks,
public.resampled_bars
TO rubi_app;
GRANT SELECT ON
public.market_archives, public.market_calendars, public.market_data_coverage,
public.market_holidays, public.market_retention, public.market_rollups, public.market_series,
public.market_sessions, public.market_ticks, public.resampled_bars
TO rubi_app, rubi_readonly, rubi_backup;
GRANT SELECT ON internal.bar_changes, internal.expired_bars TO rubi_backup;
GRANT SELECT ON internal.expired_bars TO rubi_app;

GRANT USAGE ON SCHEMA internal TO rubi_app;
GRANT EXECUTE ON FUNCTION
public.bar_clock_moment(timestamp, text),
public.bar_clock_time(timestamptz, text),
public.count_bars(text, text),
public.find_bar_gaps(text, text, timestamptz, timestamptz, interval),
public.expired_bar_months(),
public.fold_bar_changes(),
public.hash_bars(text, text, timestamptz, timestamptz),
public.ingest_bars(text, text, jsonb, text, text),
public.ingest_ticks(text, jsonb, text, text),
public.last_bars(text, text[]),
public.merge_staged_bars(text, text, text, text, text),
public.merge_staged_ticks(text, text, text, text),
public.open_hours(text, timestamptz, timestamptz),
public.open_market_series(text, text, text, text),
public.resample_bars(text, text, text, timestamptz, timestamptz, text),
public.stage_bars(),
public.stage_ticks(),
public.sum_bars(text, text, date),
public.timeframe_length(text),
internal.lift_columnstore_limit(),
internal.log_bars_without_trigger(text, text, bigint, tstzrange),
internal.reject_staged_twins(text, interval)
TO rubi_app;
GRANT EXECUTE ON FUNCTION
public.ingest_bars(text, text, jsonb, text, text),
public.ingest_ticks(text, jsonb, text, text)
TO rubi_ingest;
GRANT EXECUTE ON FUNCTION
public.bar_clock_moment(timestamp, text),
public.bar_clock_time(timestamptz, text),
public.find_bar_gaps(text, text, timestamptz, timestamptz, interval),
public.last_bars(text, text[]),
public.open_hours(text, timestamptz, timestamptz),
public.resample_bars(text, text, text, timestamptz, timestamptz, text),
public.timeframe_length(text)
TO rubi_readonly;
GRANT EXECUTE ON PROCEDURE public.refresh_resampled_bars() TO rubi_app;
GRANT EXECUTE ON PROCEDURE
internal.make_resampled_bars(text, text, text, timestamptz, timestamptz) TO rubi_app;
