-- 2864_keep_samples.sql: waits by minute and hour, what a minute and an hour do, and the ring.

CALL deploy.become_owner();

-- A sample stands for the time since the one before it, for a minute at most. Time without samples
-- is answered from sums by minute, time without those from sums by hour.
CREATE OR REPLACE FUNCTION monitoring.list_waits(p_from timestamptz, p_until timestamptz)
RETURNS TABLE (at timestamptz, cause bigint, sessions integer, seconds numeric, age_ms integer)
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.taken_at, u.cause, u.sessions,
        round(u.sessions * least(s.gap_ms, 60000) / 1000.0, 2), u.age_ms
    FROM monitoring.samples AS s
    CROSS JOIN LATERAL unnest(s.causes, s.counts, s.ages_ms) AS u (cause, sessions, age_ms)
    WHERE s.taken_at >= p_from AND s.taken_at < p_until
    UNION ALL
    SELECT f.began_at, f.subject::bigint, (f.figures -> 'sessions')::integer,
        (f.figures -> 'seconds')::numeric, (f.figures -> 'age_ms')::integer
    FROM (
        SELECT 'minute' AS kind, min(s.taken_at) AS until FROM monitoring.samples AS s
        UNION ALL
        SELECT 'hour', min(m.began_at) FROM monitoring.facts AS m WHERE m.kind = 'minute'
    ) AS k
    INNER JOIN monitoring.facts AS f ON k.kind = f.kind AND (f.seen_at <= k.until) IS NOT FALSE
    WHERE f.began_at < p_until AND f.seen_at > p_from
$$;
COMMENT ON FUNCTION monitoring.list_waits(timestamptz, timestamptz) IS
'Waits from p_from on and before p_until, a row a cause and sample, minute or hour: most sessions,
seconds of all sessions, longest age of a statement or idle state.';
REVOKE ALL ON FUNCTION monitoring.list_waits(timestamptz, timestamptz) FROM public;

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
    v_day bigint := extract(EPOCH FROM now())::bigint / 86400;
    v_part regclass;
BEGIN
    FOREACH v_part IN ARRAY ARRAY[
        format('monitoring.samples_%s', mod(v_day + 1, 3)),
        format('monitoring.facts_%s', mod(v_day / 14 + 1, 3)),
        format('monitoring.facts_%s', 3 + mod(v_day / 182 + 1, 3))
    ]::regclass[] LOOP
        IF pg_relation_size(v_part) > 0 THEN
            EXECUTE format('TRUNCATE %s', v_part);
        END IF;
    END LOOP;
    DELETE FROM monitoring.counter_readings AS r WHERE r.taken_at < now() - interval '2 days';
    DELETE FROM monitoring.sampled_causes AS c
    WHERE c.seen_on < current_date - 2 AND NOT EXISTS (
        SELECT FROM monitoring.facts AS f
        WHERE f.kind IN ('minute', 'hour') AND f.subject = c.id::text
    );
EXCEPTION
    WHEN lock_not_available OR deadlock_detected THEN
        RETURN; -- a dump reads the table: the next hour tries again, all day long
END
$$;
COMMENT ON FUNCTION monitoring.turn_rings() IS
'Empties the part of each ring that is written next, and forgets causes that are no longer needed.';
REVOKE ALL ON FUNCTION monitoring.turn_rings() FROM public;

CREATE OR REPLACE FUNCTION monitoring.keep_samples(p_hour boolean DEFAULT FALSE)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '100ms'
AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_day bigint := extract(EPOCH FROM now())::bigint / 86400;
    v_minute timestamptz;
    v_step text;
BEGIN
    SELECT r.taken_at INTO v_minute FROM monitoring.counter_readings AS r
    WHERE r.kind = 'sampler' AND r.subject = '';
    p_hour := p_hour OR date_trunc('hour', v_minute) IS DISTINCT FROM date_trunc('hour', v_now);
    -- before the steps: one that fails each minute must not have the hour's work done each minute
    INSERT INTO monitoring.counter_readings (kind, subject, taken_at, counters)
    VALUES ('sampler', '', v_now, '{}')
    ON CONFLICT (kind, subject) DO UPDATE SET taken_at = excluded.taken_at;
    FOREACH v_step IN ARRAY ARRAY['waits', 'counters', 'rings', 'health'] LOOP
        BEGIN
            IF v_step = 'waits' THEN
                INSERT INTO monitoring.facts (slot, kind, subject, began_at, seen_at, figures)
                SELECT w.slot, w.kind, w.cause, w.at, w.at + w.length, jsonb_build_object(
                    'sessions', w.sessions, 'seconds', w.seconds, 'age_ms', w.age_ms
                )
                FROM (
                    SELECT k.slot, k.kind, k.length, date_trunc(k.kind, l.at, 'UTC') AS at,
                        l.cause, max(l.sessions) AS sessions, sum(l.seconds) AS seconds,
                        max(l.age_ms) AS age_ms, row_number() OVER (
                            PARTITION BY k.kind, date_trunc(k.kind, l.at, 'UTC')
                            ORDER BY sum(l.seconds) DESC
                        ) AS place
                    FROM (
                        VALUES ('minute', interval '1 minute', mod(v_day / 14, 3)),
                        ('hour', interval '1 hour', 3 + mod(v_day / 182, 3))
                    ) AS k (kind, length, slot)
                    CROSS JOIN LATERAL monitoring.list_waits(
                        date_trunc(k.kind, coalesce(v_minute, v_now - interval '1 hour'), 'UTC'),
                        date_trunc(k.kind, v_now, 'UTC')
                    ) AS l
                    GROUP BY 1, 2, 3, 4, 5
                ) AS w
                WHERE w.place <= 40
                ON CONFLICT (kind, subject, began_at, slot) DO NOTHING;
            ELSIF v_step = 'counters' THEN
                PERFORM monitoring.take_counters(p_hour);
            ELSIF v_step = 'rings' AND p_hour THEN
                PERFORM monitoring.turn_rings();
            ELSIF v_step = 'health' THEN
                -- checks that cost little and whose trouble is not in the samples; their views
                -- read tables that an ALTER TABLE may have locked
                INSERT INTO monitoring.facts (kind, subject, began_at, seen_at, words)
                SELECT 'health', h.name, coalesce((
                    SELECT max(f.began_at) FROM monitoring.facts AS f
                    WHERE f.kind = 'health' AND f.subject = h.name
                        AND f.seen_at > v_now - interval '3 minutes' AND f.began_at <= v_now
                ), v_now), v_now, format('%s is %s: %s', h.name, h.status, left(h.detail, 300))
                FROM monitoring.health AS h
                WHERE h.status IN ('warning', 'critical') AND h.name = ANY ('{
                    archiver_failures,autovacuum_off,backup_age,checksum_failures,chunks_ahead,
                    claims_in_doubt,claims_not_taken_up,connections,database_size,failed_jobs,
                    failed_schedules,market_lag,ping_lag,policies,prepared_transactions,proofs,
                    replication_lag,replication_slots,server_clocks,snapshot_lag,vanished_days,
                    wraparound
                }')
                ON CONFLICT (kind, subject, began_at, slot) DO UPDATE
                    SET seen_at = excluded.seen_at, words = excluded.words;
            END IF;
        EXCEPTION
            -- whatever is wrong with the server must not end the samples of it
            WHEN query_canceled OR OTHERS THEN
                INSERT INTO monitoring.facts (kind, subject, began_at, seen_at, words)
                VALUES ('samples missing', v_step, v_now, clock_timestamp(),
                    format('no %s: %s (%s)', v_step, left(SQLERRM, 300), SQLSTATE));
                EXIT WHEN SQLSTATE = '57014'; -- no second timeout would end the next step
        END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION monitoring.keep_samples(boolean) IS
'What is stored once a minute: waits by minute, counters of the server, new chunks, checks that are
not ok. Once an hour, and with p_hour: waits by hour, counters of tables, statements and I/O, the
turn of the ring. monitoring.take_sample() calls it.';
REVOKE ALL ON FUNCTION monitoring.keep_samples(boolean) FROM public;
