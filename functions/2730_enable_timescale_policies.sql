-- 2730_enable_timescale_policies.sql: additions of TimescaleDB's own licence, and the schedules.

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
    ('rubi-expire-signals', '* * * * *', 'CALL public.expire_signals()'),
    ('rubi-refresh-resampled-bars', '*/5 * * * *', 'CALL public.refresh_resampled_bars()'),
    ('rubi-cluster-closed-chunks', '30 2 * * 6', 'CALL public.cluster_closed_chunks()'),
    ('rubi-drop-expired-bars', '30 4 * * 6', 'CALL public.drop_expired_bars()'),
    ('rubi-follow-lifecycle', '45 1 * * *', 'CALL public.follow_lifecycle()'),
    ('rubi-shrink-tables', '*/10 * * * *', 'CALL public.shrink_tables()'),
    ('rubi-make-chunks-ahead', '15 0 * * *', 'CALL monitoring.make_chunks_ahead()'),
    ('rubi-run-policies', '*/10 * * * *', 'CALL public.run_timescale_policies()')
$$;
COMMENT ON FUNCTION public.market_schedules() IS
'Jobs that are to run regularly for market data, signals and old rows, as pg_cron takes them (GMT):
SELECT cron.schedule(name, schedule, command), or cron.schedule_in_database(name, schedule, command,
database).';
REVOKE ALL ON FUNCTION public.market_schedules() FROM public;

CREATE OR REPLACE FUNCTION internal.set_columnstore_policy(p_table text, p_after interval)
RETURNS text
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_job integer;
    v_config jsonb;
    v_before interval;
BEGIN
    SELECT j.job_id, j.config, (j.config ->> 'compress_after')::interval
    INTO v_job, v_config, v_before
    FROM timescaledb_information.jobs AS j
    WHERE j.proc_name = 'policy_compression'
        AND j.hypertable_schema = 'public'
        AND j.hypertable_name = p_table;
    IF v_job IS NULL THEN
        PERFORM public.add_compression_policy(format('public.%I', p_table)::regclass, p_after);
        RETURN 'new';
    ELSIF v_before = p_after THEN
        RETURN 'as before';
    END IF;
    PERFORM public.alter_job(
        v_job, config => v_config || jsonb_build_object('compress_after', p_after::text)
    );
    RETURN format('was %s', v_before);
END
$$;
COMMENT ON FUNCTION internal.set_columnstore_policy(text, interval) IS
'Makes or changes the policy of a table''s columnstore; answers the former one.';
REVOKE ALL ON FUNCTION internal.set_columnstore_policy(text, interval) FROM public;

-- TimescaleDB's retention drops rows that lie in no archive, and asks no legal_hold.
CREATE OR REPLACE FUNCTION internal.remove_tick_retention()
RETURNS text
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_job record;
    v_said text := '';
BEGIN
    FOR v_job IN
        SELECT j.job_id, j.config ->> 'drop_after' AS drop_after
        FROM timescaledb_information.jobs AS j
        WHERE j.proc_name = 'policy_retention'
            AND j.hypertable_schema = 'public'
            AND j.hypertable_name = 'market_ticks'
    LOOP
        PERFORM public.delete_job(v_job.job_id);
        v_said := format(' (a policy dropped them after %s, without a copy)', v_job.drop_after);
    END LOOP;
    RETURN v_said;
END
$$;
COMMENT ON FUNCTION internal.remove_tick_retention() IS
'Removes TimescaleDB''s own retention of ticks; answers what it was, or nothing.';
REVOKE ALL ON FUNCTION internal.remove_tick_retention() FROM public;

-- A licensed policy can't follow the clock of each series, so the aggregate serves H1 in UTC.
-- Statements are run as text where the Apache edition does not know them.
CREATE OR REPLACE FUNCTION internal.make_market_data_h1()
RETURNS text
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_made boolean := to_regclass('public.market_data_h1') IS NULL;
    v_batches text;
BEGIN
    IF v_made THEN
        EXECUTE
            'CREATE MATERIALIZED VIEW public.market_data_h1'
            ' WITH (timescaledb.continuous, timescaledb.materialized_only = FALSE) AS'
            ' SELECT m.symbol,'
            ' public.time_bucket(interval ''1 hour'', m.timestamp) AS timestamp,'
            ' public.first(m.open, m.timestamp) AS open, max(m.high) AS high,'
            ' min(m.low) AS low, public.last(m.close, m.timestamp) AS close,'
            ' sum(m.volume)::bigint AS volume, sum(m.real_volume) AS real_volume,'
            ' min(m.spread) AS spread, count(*)::integer AS bars FROM public.market_data AS m'
            ' WHERE m.timeframe = ''M1'' GROUP BY 1, 2 WITH NO DATA';
        EXECUTE
            'COMMENT ON VIEW public.market_data_h1 IS ''H1 bars by UTC, made of all M1 series.''';
    END IF;
    -- a right on the view is one on the table behind, which pg_dump reads
    EXECUTE 'REVOKE ALL ON public.market_data_h1 FROM rubi_app';
    EXECUTE 'GRANT SELECT ON public.market_data_h1 TO rubi_app, rubi_readonly, rubi_backup';
    -- old versions list the job under the table behind the view
    IF NOT EXISTS (
        SELECT
        FROM timescaledb_information.jobs AS j
        INNER JOIN timescaledb_information.continuous_aggregates AS c
            ON j.hypertable_name IN (c.view_name, c.materialization_hypertable_name)
        WHERE j.proc_name = 'policy_refresh_continuous_aggregate'
            AND c.view_schema = 'public'
            AND c.view_name = 'market_data_h1'
    ) THEN
        -- where a refresh goes by batches, a month a transaction: 2.22's single hours would make
        -- 115,000 of 13 years
        SELECT ', buckets_per_batch => 720' INTO v_batches
        FROM pg_proc AS p
        WHERE p.proname = 'add_continuous_aggregate_policy'
            AND 'buckets_per_batch' = ANY (p.proargnames);
        EXECUTE
            'SELECT public.add_continuous_aggregate_policy(''public.market_data_h1'','
            ' start_offset => NULL::interval, end_offset => interval ''1 hour'','
            ' schedule_interval => interval ''10 minutes''' || coalesce(v_batches, '') || ')';
    END IF;
    RETURN CASE WHEN v_made THEN 'new' ELSE 'as before' END;
END
$$;
COMMENT ON FUNCTION internal.make_market_data_h1() IS
'Makes the continuous aggregate market_data_h1; answers whether it was missing.';
REVOKE ALL ON FUNCTION internal.make_market_data_h1() FROM public;

CREATE OR REPLACE FUNCTION public.enable_timescale_policies(
    p_compress_after interval DEFAULT '60 days'
)
RETURNS TABLE (feature text, done boolean, note text)
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the aggregate and the jobs are to belong to the owner of the tables
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_said text;
    v_table text;
BEGIN
    IF monitoring.timescaledb_edition() <> 'timescale' THEN
        RETURN QUERY VALUES
        ('columnstore', FALSE, 'skipped, Apache edition: call cluster_closed_chunks() regularly'),
        ('retention', FALSE, 'skipped, Apache edition: ticks leave by follow_lifecycle()'),
        ('aggregates', FALSE, 'skipped, Apache edition: call refresh_resampled_bars() regularly');
        RETURN;
    END IF;
    -- policies are jobs that log in as the owner of their table
    IF NOT (SELECT r.rolcanlogin FROM pg_roles AS r WHERE r.rolname = current_user) THEN
        RETURN QUERY SELECT
            f.feature,
            FALSE,
            format('skipped, its owner can''t log in: ALTER ROLE %I LOGIN', current_user)
        FROM unnest(ARRAY['columnstore', 'retention', 'aggregates']) AS f (feature);
        RETURN;
    END IF;
    -- 2.19.0 to 2.20.0 write a column of NULLs, as real_volume of most brokers, in a form that no
    -- restore of a dump reads back (timescaledb issue 8893, ran on 2.19.3)
    IF EXISTS (
        SELECT FROM pg_extension AS e
        WHERE e.extname = 'timescaledb' AND e.extversion ~ '^2\.(19|20\.0)\M'
    ) THEN
        RETURN QUERY VALUES (
            'columnstore', FALSE,
            'skipped, no dump of it could be restored: ALTER EXTENSION timescaledb UPDATE to 2.20.1'
            ' or later'
        );
    ELSE
        -- columnstore refuses a DELETE trigger that is handed all rows of a statement (ran on
        -- 2.30): deleting by hand is then followed by count_bars()
        IF EXISTS (
            SELECT FROM pg_trigger AS t
            WHERE t.tgrelid = 'public.market_data'::regclass
                AND t.tgname = 'market_data_50_deleted'
                AND t.tgoldtable IS NOT NULL
        ) THEN
            DROP TRIGGER market_data_50_deleted ON public.market_data;
        END IF;
        FOREACH v_table IN ARRAY ARRAY['market_ticks', 'market_data'] LOOP
            IF NOT monitoring.has_columnstore(v_table) THEN
                -- TimescaleDB renamed compression to columnstore in 2.18; old names work everywhere
                EXECUTE format(
                    'ALTER TABLE public.%I SET (timescaledb.compress,'
                    ' timescaledb.compress_segmentby = %L, timescaledb.compress_orderby = %L)',
                    v_table,
                    CASE v_table WHEN 'market_data' THEN 'symbol, timeframe' ELSE 'symbol' END,
                    CASE v_table WHEN 'market_data' THEN 'timestamp' ELSE 'timestamp, seq' END
                );
            END IF;
            -- 2.11 hands rights on to the tables behind the columnstore only by a second GRANT;
            -- without these rights no dump can lock the tables
            EXECUTE format('GRANT SELECT ON public.%I TO rubi_backup', v_table);
            v_said := internal.set_columnstore_policy(v_table, p_compress_after);
        END LOOP;
        RETURN QUERY VALUES (
            'columnstore', TRUE, format('chunks older than %s (%s)', p_compress_after, v_said)
        );
    END IF;
    RETURN QUERY SELECT
        'retention',
        TRUE,
        'ticks leave as monitoring.lifecycle says, archived, by follow_lifecycle()'
        || internal.remove_tick_retention();
    v_said := internal.make_market_data_h1();
    RETURN QUERY VALUES (
        'aggregates', TRUE, format('market_data_h1: H1 bars of all M1 series, UTC (%s)', v_said)
    );
    -- from now on a policy that never succeeds is overdue
    DELETE FROM monitoring.policy_runs AS r
    WHERE NOT EXISTS (
        SELECT FROM timescaledb_information.jobs AS j WHERE j.job_id = r.job_id
    );
    INSERT INTO monitoring.policy_runs (job_id)
    SELECT j.job_id
    FROM timescaledb_information.jobs AS j
    WHERE j.job_id >= 1000 AND pg_has_role(j.owner, 'USAGE')
    ON CONFLICT (job_id) DO NOTHING;
END
$$;
COMMENT ON FUNCTION public.enable_timescale_policies(interval) IS
'With the Timescale licence: columnstore for bars and ticks older than p_compress_after, and the
continuous aggregate market_data_h1. Answers the changes; another call sets the value of its
argument. Retention stays that of monitoring.lifecycle: a policy of TimescaleDB that drops ticks is
removed, as it asks for no archive and no legal_hold. TimescaleDB 2.19.0 to 2.20.0, which can''t
restore dumps of columnstore, gets none. On the Apache edition the function changes nothing and
names the substitutes. To be called by the owner.';
REVOKE ALL ON FUNCTION public.enable_timescale_policies(interval) FROM public;
