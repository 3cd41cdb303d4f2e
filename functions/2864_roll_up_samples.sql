-- 2864_roll_up_samples.sql: sums of samples by minute and hour, the ring, and what a minute does.

CALL deploy.become_owner();

-- A sample stands for the time since the one before it, for a minute at most.
CREATE OR REPLACE FUNCTION monitoring.list_waits(p_from timestamptz, p_until timestamptz)
RETURNS TABLE (at timestamptz, cause integer, seconds numeric, sessions integer, age_ms integer)
LANGUAGE plpgsql
STABLE
PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT
        s.taken_at::timestamptz,
        u.cause,
        round(u.sessions * s.seconds, 2),
        u.sessions::integer,
        u.age_ms
    FROM (
        SELECT
            r.taken_at,
            r.causes,
            r.counts,
            r.ages_ms,
            least(coalesce(
                extract(EPOCH FROM r.taken_at - lag(r.taken_at) OVER (ORDER BY r.taken_at)), 1
            ), 60) AS seconds
        FROM monitoring.samples AS r
        WHERE r.taken_at >= p_from - interval '1 minute' AND r.taken_at < p_until
    ) AS s
    CROSS JOIN LATERAL unnest(s.causes, s.counts, s.ages_ms) AS u (cause, sessions, age_ms)
    WHERE s.taken_at >= p_from;
END
$$;
COMMENT ON FUNCTION monitoring.list_waits(timestamptz, timestamptz) IS
'Samples from p_from on and before p_until, a row a cause: seconds are those of all its sessions.';
REVOKE ALL ON FUNCTION monitoring.list_waits(timestamptz, timestamptz) FROM public;

CREATE OR REPLACE FUNCTION monitoring.roll_up(p_since timestamptz, p_hours boolean)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
BEGIN
    PERFORM monitoring.write_fact(
        'minute', m.cause::text, m.at, m.at + interval '1 minute', m.seconds,
        jsonb_build_object('peak', m.peak, 'age_ms', m.age_ms)
    )
    FROM (
        SELECT
            date_trunc('minute', w.at) AS at,
            w.cause,
            sum(w.seconds) AS seconds,
            max(w.sessions) AS peak,
            max(w.age_ms) AS age_ms,
            row_number() OVER (
                PARTITION BY date_trunc('minute', w.at) ORDER BY sum(w.seconds) DESC
            ) AS place
        FROM monitoring.list_waits(
            date_trunc('minute', p_since), date_trunc('minute', v_now)
        ) AS w
        GROUP BY 1, 2
    ) AS m
    WHERE m.place <= 40;
    IF NOT p_hours THEN
        RETURN;
    END IF;
    PERFORM monitoring.write_fact(
        'hour', h.subject, h.at, h.at + interval '1 hour', h.seconds,
        jsonb_build_object('peak', h.peak, 'age_ms', h.age_ms)
    )
    FROM (
        SELECT
            date_trunc('hour', f.began_at) AS at,
            f.subject,
            sum(f.figure) AS seconds,
            max((f.detail -> 'peak')::integer) AS peak,
            max((f.detail -> 'age_ms')::integer) AS age_ms,
            row_number() OVER (
                PARTITION BY date_trunc('hour', f.began_at) ORDER BY sum(f.figure) DESC
            ) AS place
        FROM monitoring.facts AS f
        WHERE f.kind = 'minute' AND f.began_at < date_trunc('hour', v_now)
            AND f.began_at >= date_trunc('hour', v_now) - interval '1 day'
        GROUP BY 1, 2
    ) AS h
    WHERE h.place <= 40
        AND NOT EXISTS (
            SELECT FROM monitoring.facts AS d WHERE d.kind = 'hour' AND d.began_at = h.at
        );
END
$$;
COMMENT ON FUNCTION monitoring.roll_up(timestamptz, boolean) IS
'Sums up the samples since a time by minute, and with p_hours the minutes of complete hours by hour:
the 40 causes with most time.';
REVOKE ALL ON FUNCTION monitoring.roll_up(timestamptz, boolean) FROM public;

CREATE OR REPLACE FUNCTION monitoring.turn_rings()
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- rubi_monitor adds samples and deletes none
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '100ms'
AS $$
DECLARE
    v_table text;
    v_filled boolean;
BEGIN
    FOREACH v_table IN ARRAY ARRAY[
        format('samples_%s', monitoring.ring_slot(now() + interval '24 hours', 1)),
        format('facts_%s', monitoring.ring_slot(now() + interval '336 hours', 14)),
        format('facts_%s', 3 + monitoring.ring_slot(now() + interval '4368 hours', 182))
    ] LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM monitoring.%I)', v_table) INTO v_filled;
        CONTINUE WHEN NOT v_filled;
        EXECUTE format('TRUNCATE monitoring.%I', v_table);
        DELETE FROM monitoring.counter_readings AS r WHERE r.taken_at < now() - interval '2 days';
        -- NOT IN of a million causes fits no memory, and looks through all of them for each cause
        DELETE FROM monitoring.sampled_causes AS c
        WHERE NOT EXISTS (
            SELECT FROM monitoring.samples AS s
            CROSS JOIN LATERAL unnest(s.causes) AS u (cause)
            WHERE u.cause = c.id
        ) AND NOT EXISTS (
            SELECT FROM monitoring.facts AS f
            WHERE f.kind IN ('minute', 'hour') AND f.subject = c.id::text
        );
        DELETE FROM monitoring.sampled_statements AS t
        WHERE t.seen_on < current_date - 2
            AND NOT EXISTS (
                SELECT FROM monitoring.sampled_causes AS c WHERE c.statement_id = t.statement_id
            )
            AND NOT EXISTS (
                SELECT FROM monitoring.facts AS f
                WHERE f.kind = 'statement' AND f.subject = t.statement_id::text
            );
    END LOOP;
EXCEPTION
    WHEN lock_not_available OR deadlock_detected THEN
        RETURN; -- a dump reads the table: the next hour tries again, all day long
END
$$;
COMMENT ON FUNCTION monitoring.turn_rings() IS
'Empties the table of each ring that is written next, and forgets causes and texts that no sample
needs.';
REVOKE ALL ON FUNCTION monitoring.turn_rings() FROM public;

-- Checks that cost little and whose trouble is not in the samples. Their views read tables that an
-- ALTER TABLE may have locked: they come last, and a minute may do without them.
CREATE OR REPLACE FUNCTION monitoring.note_health()
RETURNS integer
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_count integer;
BEGIN
    SELECT count(monitoring.write_fact(
        'health', h.name, coalesce(
            (
                SELECT max(f.began_at) FROM monitoring.facts AS f
                WHERE f.kind = 'health' AND f.subject = h.name
                    AND f.seen_at > v_now - interval '3 minutes'
            ), v_now
        ), v_now, h.value,
        jsonb_build_object('status', h.status, 'detail', left(h.detail, 300), 'unit', h.unit)
    )) INTO v_count
    FROM monitoring.health AS h
    WHERE h.status IN ('warning', 'critical') AND h.name = ANY ('{
        archiver_failures,autovacuum_off,backup_age,checksum_failures,chunks_ahead,claims_in_doubt,
        claims_not_taken_up,connections,database_size,failed_jobs,failed_schedules,market_lag,
        ping_lag,policies,prepared_transactions,proofs,replication_lag,replication_slots,
        server_clocks,snapshot_lag,vanished_days,wraparound
    }');
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION monitoring.note_health() IS
'Stores the checks of monitoring.health that are not ok, those that cost little; answers their
number.';
REVOKE ALL ON FUNCTION monitoring.note_health() FROM public;

CREATE OR REPLACE FUNCTION monitoring.note_chunks()
RETURNS integer
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_last record;
    v_highest bigint;
    v_count integer;
BEGIN
    SELECT r.taken_at, (r.counters -> 'last')::bigint AS id INTO v_last
    FROM monitoring.counter_readings AS r
    WHERE r.kind = 'chunk' AND r.subject = '';
    -- the second number of a chunk's name rises with each; old versions keep no time of creation
    SELECT
        count(CASE WHEN c.id > v_last.id THEN monitoring.write_fact(
            'chunk', c.name, coalesce(c.created_at, v_last.taken_at),
            greatest(c.created_at, v_now), NULL, jsonb_build_object('hypertable', c.hypertable)
        ) END),
        max(c.id)
    INTO v_count, v_highest
    FROM (
        SELECT
            i.chunk_name::text AS name,
            format('%s.%s', i.hypertable_schema, i.hypertable_name) AS hypertable,
            substring(i.chunk_name FROM '([0-9]+)_chunk$')::bigint AS id,
            (to_jsonb(i) ->> 'chunk_creation_time')::timestamptz AS created_at
        FROM timescaledb_information.chunks AS i
    ) AS c;
    INSERT INTO monitoring.counter_readings AS r (kind, subject, taken_at, counters)
    VALUES ('chunk', '', v_now, jsonb_build_object('last', coalesce(v_highest, 0)))
    ON CONFLICT (kind, subject) DO UPDATE
        SET taken_at = excluded.taken_at, counters = excluded.counters;
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION monitoring.note_chunks() IS
'Stores the chunks that were made since the last call; answers their number.';
REVOKE ALL ON FUNCTION monitoring.note_chunks() FROM public;

CREATE OR REPLACE FUNCTION monitoring.keep_samples(p_hour boolean DEFAULT FALSE)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '100ms'
AS $$
DECLARE
    v_begin timestamptz := clock_timestamp();
    v_minute timestamptz;
    v_hour timestamptz;
BEGIN
    SELECT
        max(r.taken_at) FILTER (WHERE r.kind = 'server'),
        max(r.taken_at) FILTER (WHERE r.kind = 'table')
    INTO v_minute, v_hour
    FROM monitoring.counter_readings AS r
    WHERE r.kind IN ('server', 'table');
    p_hour := p_hour OR date_trunc('hour', v_hour) IS DISTINCT FROM date_trunc('hour', v_begin);
    PERFORM monitoring.roll_up(coalesce(v_minute, v_begin - interval '1 hour'), p_hour);
    PERFORM monitoring.take_counters('server');
    IF p_hour THEN
        PERFORM monitoring.take_counters(k.kind)
        FROM (VALUES ('table'), ('io'), ('statement')) AS k (kind);
        PERFORM monitoring.take_statement_texts();
        PERFORM monitoring.turn_rings();
    END IF;
    BEGIN
        PERFORM monitoring.note_chunks();
        PERFORM monitoring.note_health();
    EXCEPTION
        WHEN OTHERS THEN -- whatever is wrong with the server must not end the samples of it
            PERFORM monitoring.write_fact(
                'sampling', 'health could not be asked', v_begin, clock_timestamp(), NULL,
                jsonb_build_object('sqlstate', SQLSTATE, 'detail', left(SQLERRM, 300))
            );
    END;
END
$$;
COMMENT ON FUNCTION monitoring.keep_samples(boolean) IS
'What is stored once a minute: waits by minute, counters of the server, new chunks, checks that are
not ok. Once an hour, and with p_hour: waits by hour, counters of tables, statements and I/O, the
turn of the ring. monitoring.take_sample() calls it.';
REVOKE ALL ON FUNCTION monitoring.keep_samples(boolean) FROM public;
