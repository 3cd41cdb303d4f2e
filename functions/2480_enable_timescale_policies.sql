-- 2480_enable_timescale_policies.sql: what TimescaleDB's own licence adds, and the schedules.
-- needs: functions/2010_timescaledb_edition.sql, functions/2470_market_retention.sql
-- transaction: yes

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION public.market_schedules()
RETURNS TABLE (name text, schedule text, command text)
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    VALUES
    ('rubi-fold-bar-changes', '* * * * *', 'SELECT public.fold_bar_changes()'),
    ('rubi-refresh-resampled-bars', '*/5 * * * *', 'CALL public.refresh_resampled_bars()'),
    ('rubi-cluster-closed-chunks', '30 2 * * 6', 'CALL public.cluster_closed_chunks()'),
    ('rubi-drop-expired-bars', '30 4 * * 6', 'CALL public.drop_expired_bars()'),
    ('rubi-make-chunks-ahead', '15 0 * * *', 'CALL monitoring.make_chunks_ahead()')
$$;
COMMENT ON FUNCTION public.market_schedules() IS
'What is to run regularly for market data, as pg_cron takes it (GMT): SELECT cron.schedule(name,
schedule, command), or cron.schedule_in_database(name, schedule, command, database).';
REVOKE ALL ON FUNCTION public.market_schedules() FROM public;

-- Statements are run as text: the Apache edition refuses them. TimescaleDB renamed compression to
-- columnstore in 2.18; the old names work in all versions.
CREATE OR REPLACE FUNCTION public.enable_timescale_policies(
    p_compress_after interval DEFAULT '60 days',
    p_keep_ticks interval DEFAULT NULL
)
RETURNS TABLE (feature text, done boolean, note text)
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    v_licensed boolean := monitoring.timescaledb_edition() = 'timescale';
    v_table text;
    v_segment text;
BEGIN
    IF NOT v_licensed THEN
        RETURN QUERY VALUES
        ('columnstore', FALSE, 'skipped, Apache edition: call cluster_closed_chunks() regularly'),
        ('retention', FALSE, 'skipped, Apache edition: call drop_expired_bars() regularly'),
        ('aggregates', FALSE, 'skipped, Apache edition: call refresh_resampled_bars() regularly');
        RETURN;
    END IF;
    -- policies are jobs that log in as the owner of their table
    IF NOT EXISTS (
        SELECT FROM pg_catalog.pg_class AS c
        INNER JOIN pg_catalog.pg_roles AS r ON c.relowner = r.oid
        WHERE c.oid = 'public.market_data'::regclass AND r.rolcanlogin
    ) THEN
        RETURN QUERY SELECT
            f.feature,
            FALSE,
            'skipped, its owner can''t log in: ALTER ROLE rubi_owner LOGIN'
        FROM unnest(ARRAY['columnstore', 'retention', 'aggregates']) AS f (feature);
        RETURN;
    END IF;
    -- columnstore refuses a DELETE trigger that sees rows (ran on 2.30): deleting by hand is then
    -- followed by count_bars()
    DROP TRIGGER IF EXISTS market_data_50_deleted ON public.market_data;
    FOREACH v_table IN ARRAY ARRAY['market_data', 'market_ticks'] LOOP
        v_segment := CASE v_table WHEN 'market_data' THEN 'symbol, timeframe' ELSE 'symbol' END;
        EXECUTE format(
            'ALTER TABLE public.%I SET (timescaledb.compress,'
            ' timescaledb.compress_segmentby = %L, timescaledb.compress_orderby = %L)',
            v_table, v_segment, CASE v_table WHEN 'market_data' THEN 'timestamp'
                ELSE 'timestamp, seq' END
        );
        EXECUTE format(
            'SELECT add_compression_policy(''public.%I'', %L::interval, if_not_exists => TRUE)',
            v_table, p_compress_after
        );
    END LOOP;
    RETURN QUERY VALUES ('columnstore', TRUE, format('chunks older than %s', p_compress_after));

    IF p_keep_ticks IS NULL THEN
        RETURN QUERY VALUES ('retention', FALSE, 'ticks are kept: give p_keep_ticks');
    ELSE
        EXECUTE format(
            'SELECT add_retention_policy(''public.market_ticks'', %L::interval,'
            ' if_not_exists => TRUE)', p_keep_ticks
        );
        RETURN QUERY VALUES (
            'retention', TRUE,
            format('ticks older than %s; bars: CALL drop_expired_bars()', p_keep_ticks)
        );
    END IF;

    -- A licensed policy can't follow the clock of each series, so it serves H1 in UTC.
    IF to_regclass('public.market_data_h1') IS NULL THEN
        EXECUTE
            'CREATE MATERIALIZED VIEW public.market_data_h1'
            ' WITH (timescaledb.continuous, timescaledb.materialized_only = FALSE) AS'
            ' SELECT m.symbol, time_bucket(interval ''1 hour'', m.timestamp) AS timestamp,'
            ' first(m.open, m.timestamp) AS open, max(m.high) AS high, min(m.low) AS low,'
            ' last(m.close, m.timestamp) AS close, sum(m.volume)::bigint AS volume,'
            ' sum(m.real_volume) AS real_volume, min(m.spread) AS spread,'
            ' count(*)::integer AS bars FROM public.market_data AS m'
            ' WHERE m.timeframe = ''M1'' GROUP BY 1, 2 WITH NO DATA';
    END IF;
    EXECUTE
        'SELECT add_continuous_aggregate_policy(''public.market_data_h1'','
        ' start_offset => NULL, end_offset => interval ''1 hour'','
        ' schedule_interval => interval ''10 minutes'', if_not_exists => TRUE)';
    RETURN QUERY VALUES ('aggregates', TRUE, 'market_data_h1: H1 bars of all M1 series, UTC');
END
$$;
COMMENT ON FUNCTION public.enable_timescale_policies(interval, interval) IS
'With the Timescale licence: columnstore for bars and ticks older than p_compress_after, retention
of ticks where p_keep_ticks is given, and the continuous aggregate market_data_h1. Says what it did;
on the Apache edition it does nothing and says what serves instead. To be called by the owner.';
REVOKE ALL ON FUNCTION public.enable_timescale_policies(interval, interval) FROM public;
