-- 2820_read_history.sql: writes down the days of which hypertables have rows.

CALL deploy.become_owner();

-- Reading a year of ticks takes minutes: chunks without writes since their reading are left out,
-- and a call reads for half a minute, the longest-waiting chunks first. Columnstore chunks are read
-- each time: a delete of whole batches does not count on the chunk.
CREATE OR REPLACE FUNCTION monitoring.read_history(p_for interval DEFAULT '30 seconds')
RETURNS integer
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_end timestamptz := clock_timestamp() + p_for;
    v_chunk record;
    v_read integer := 0;
BEGIN
    FOR v_chunk IN
        SELECT
            format('%I.%I', c.hypertable_schema, c.hypertable_name) AS relation,
            format('%I.%I', c.chunk_schema, c.chunk_name) AS chunk,
            date_trunc('day', c.range_start, 'UTC') AS since,
            date_trunc('day', c.range_end - interval '1 microsecond', 'UTC') + interval '24 hours'
                AS until,
            s.changes
        FROM timescaledb_information.chunks AS c
        CROSS JOIN LATERAL (
            SELECT
                pg_stat_get_tuples_inserted(r.oid) + pg_stat_get_tuples_updated(r.oid)
                + pg_stat_get_tuples_deleted(r.oid) AS changes
            FROM pg_class AS r
            WHERE r.oid = to_regclass(format('%I.%I', c.chunk_schema, c.chunk_name))
        ) AS s
        LEFT JOIN monitoring.chunk_readings AS k
            ON k.chunk = format('%I.%I', c.chunk_schema, c.chunk_name)
        WHERE c.hypertable_schema = 'public'
            AND c.hypertable_name IN ('account_snapshots', 'market_data', 'market_ticks')
            AND (k.changes IS DISTINCT FROM s.changes OR c.is_compressed)
        ORDER BY k.read_at NULLS FIRST, c.range_start DESC, 1
    LOOP
        EXIT WHEN clock_timestamp() >= v_end;
        EXECUTE format(
            'INSERT INTO monitoring.day_readings (relation, day, row_count, read_at)'
            ' SELECT %L, (m.timestamp AT TIME ZONE ''UTC'')::date, count(*), now()'
            ' FROM %s AS m WHERE m.timestamp >= $1 AND m.timestamp < $2 GROUP BY 2'
            ' ON CONFLICT (relation, day) DO UPDATE SET row_count = excluded.row_count,'
            ' read_at = excluded.read_at, gone_at = NULL',
            v_chunk.relation, v_chunk.relation
        ) USING v_chunk.since, v_chunk.until;
        UPDATE monitoring.day_readings AS d SET gone_at = now()
        WHERE d.relation = v_chunk.relation
            AND d.day >= (v_chunk.since AT TIME ZONE 'UTC')::date
            AND d.day < (v_chunk.until AT TIME ZONE 'UTC')::date
            AND d.read_at < now()
            AND d.gone_at IS NULL;
        INSERT INTO monitoring.chunk_readings AS k (chunk, changes, read_at)
        VALUES (v_chunk.chunk, v_chunk.changes, now())
        ON CONFLICT (chunk) DO UPDATE SET changes = excluded.changes, read_at = excluded.read_at;
        v_read := v_read + 1;
    END LOOP;

    DELETE FROM monitoring.chunk_readings AS k WHERE to_regclass(k.chunk) IS NULL;
    -- days that are known to have been dropped are forgotten; vanished days stay until somebody
    -- explains them
    DELETE FROM monitoring.day_readings AS d
    USING monitoring.absent_days AS a
    WHERE d.relation = a.relation AND d.day = a.day AND a.dropped;
    RETURN v_read;
END
$$;
COMMENT ON FUNCTION monitoring.read_history(interval) IS
'Records the days of which hypertables have rows now, for p_for at most, and forgets days that were
dropped on purpose; answers the number of chunks read. monitoring.take_readings() calls it.';
REVOKE ALL ON FUNCTION monitoring.read_history(interval) FROM public;
