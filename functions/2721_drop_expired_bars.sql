-- 2721_drop_expired_bars.sql: expired bars leave, chunk by chunk.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION internal.note_expired_bars()
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_month record;
BEGIN
    -- a month that an interrupted run began is finished, while the month is still expired
    DELETE FROM internal.expired_bars AS p
    WHERE NOT EXISTS (
        SELECT FROM public.expired_bar_months() AS e
        INNER JOIN public.market_archives AS a
            ON a.symbol = e.symbol AND a.timeframe = e.timeframe AND a.month = e.month
        WHERE a.dropped_at IS NOT NULL
            AND e.symbol = p.symbol
            AND e.timeframe = p.timeframe
            AND e.month = p.month
    );
    INSERT INTO internal.expired_bars (symbol, timeframe, month, range_start, range_end, row_hash)
    SELECT
        e.symbol,
        e.timeframe,
        e.month,
        t.range_start,
        t.range_end,
        CASE
            WHEN e.archived THEN public.hash_bars(e.symbol, e.timeframe, t.range_start, t.range_end)
        END
    FROM public.expired_bar_months() AS e
    INNER JOIN timescaledb_information.chunks AS c
        ON c.hypertable_schema = 'public'
            AND c.hypertable_name = 'market_data'
            AND c.range_start < (e.month + interval '1 month') AT TIME ZONE 'UTC'
            AND c.range_end > e.month::timestamp AT TIME ZONE 'UTC'
    CROSS JOIN LATERAL (
        SELECT
            greatest(c.range_start, e.month::timestamp AT TIME ZONE 'UTC') AS range_start,
            least(c.range_end, (e.month + interval '1 month') AT TIME ZONE 'UTC') AS range_end
    ) AS t
    WHERE e.droppable
    ON CONFLICT (symbol, timeframe, range_start) DO NOTHING;
    FOR v_month IN
        SELECT p.symbol, p.timeframe, p.month
        FROM internal.expired_bars AS p
        INNER JOIN public.market_archives AS a
            ON a.symbol = p.symbol AND a.timeframe = p.timeframe AND a.month = p.month
        WHERE a.dropped_at IS NULL AND p.row_hash IS NOT NULL
        GROUP BY p.symbol, p.timeframe, p.month, a.row_hash
        HAVING sum(p.row_hash) IS DISTINCT FROM a.row_hash
        ORDER BY p.month, p.symbol, p.timeframe
    LOOP
        RAISE WARNING '% % of % has changed since it was archived: archive it again',
            v_month.symbol, v_month.timeframe, to_char(v_month.month, 'YYYY-MM');
        DELETE FROM internal.expired_bars AS p
        WHERE p.symbol = v_month.symbol
            AND p.timeframe = v_month.timeframe
            AND p.month = v_month.month;
    END LOOP;
END
$$;
COMMENT ON FUNCTION internal.note_expired_bars() IS
'Writes the parts of months that may go into internal.expired_bars, one for each chunk; warns of
months that have changed since they were archived, and leaves them out.';
REVOKE ALL ON FUNCTION internal.note_expired_bars() FROM public;

CREATE OR REPLACE FUNCTION internal.delete_expired_bars(p_since timestamptz, p_until timestamptz)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_deleted bigint;
BEGIN
    WITH gone AS (
        DELETE FROM public.market_data AS m
        USING internal.expired_bars AS e
        WHERE m.symbol = e.symbol
            AND m.timeframe = e.timeframe
            AND m.timestamp >= e.range_start
            AND m.timestamp < e.range_end
            AND m.timestamp >= p_since
            AND m.timestamp < p_until
        RETURNING m.symbol, m.timeframe, m.timestamp AS at
    ),

    logged AS (
        INSERT INTO internal.bar_changes (
            symbol, timeframe, bars, first_timestamp, last_timestamp
        )
        SELECT
            g.symbol, g.timeframe, -count(*), min(g.at),
            max(g.at)
        FROM gone AS g
        WHERE NOT EXISTS (
            SELECT FROM pg_trigger AS t
            WHERE t.tgrelid = 'public.market_data'::regclass
                AND t.tgname = 'market_data_50_deleted'
        )
        GROUP BY g.symbol, g.timeframe
    )

    SELECT count(*) INTO v_deleted FROM gone;
    RETURN v_deleted;
END
$$;
COMMENT ON FUNCTION internal.delete_expired_bars(timestamptz, timestamptz) IS
'Deletes what internal.expired_bars notes within a chunk''s range, and logs the change where no
trigger does; answers how many bars.';
REVOKE ALL ON FUNCTION internal.delete_expired_bars(timestamptz, timestamptz) FROM public;

CREATE OR REPLACE FUNCTION internal.drop_expired_chunk(
    p_schema name,
    p_chunk name,
    p_since timestamptz,
    p_until timestamptz,
    OUT dropped boolean,
    OUT deleted bigint
)
RETURNS record
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_month record;
    v_kept boolean;
BEGIN
    dropped := FALSE;
    deleted := 0;
    -- writers of the past wait for us; no bar may come in between look and drop
    EXECUTE format(
        'LOCK TABLE %I.%I IN SHARE ROW EXCLUSIVE MODE',
        p_schema, p_chunk
    );
    FOR v_month IN
        DELETE FROM internal.expired_bars AS p
        WHERE p.range_start >= p_since
            AND p.range_end <= p_until
            AND p.row_hash
                <> public.hash_bars(p.symbol, p.timeframe, p.range_start, p.range_end)
        RETURNING p.symbol, p.timeframe, p.month
    LOOP
        RAISE WARNING '% % of % changed while it was being dropped: changed bars stay, '
            'scripts/archive_bars.py write names the cure',
            v_month.symbol, v_month.timeframe,
            to_char(v_month.month, 'YYYY-MM');
    END LOOP;
    EXECUTE format(
        'SELECT EXISTS (SELECT FROM %I.%I AS m WHERE NOT EXISTS ('
        ' SELECT FROM internal.expired_bars AS e WHERE e.symbol = m.symbol'
        ' AND e.timeframe = m.timeframe'
        ' AND m.timestamp >= e.range_start AND m.timestamp < e.range_end))',
        p_schema, p_chunk
    ) INTO v_kept;
    IF v_kept THEN
        deleted := internal.delete_expired_bars(p_since, p_until);
    ELSE
        EXECUTE format(
            'INSERT INTO internal.bar_changes'
            ' (symbol, timeframe, bars, first_timestamp, last_timestamp)'
            ' SELECT m.symbol, m.timeframe, -count(*),'
            ' min(m.timestamp), max(m.timestamp)'
            ' FROM %I.%I AS m GROUP BY m.symbol, m.timeframe',
            p_schema, p_chunk
        );
        PERFORM public.drop_chunks(
            'public.market_data',
            older_than => p_until, newer_than => p_since
        );
        dropped := TRUE;
    END IF;
    -- from now on only the archive has the month
    UPDATE public.market_archives AS a SET dropped_at = now()
    FROM internal.expired_bars AS p
    WHERE p.range_start >= p_since
        AND p.range_end <= p_until
        AND p.row_hash <> 0
        AND a.symbol = p.symbol
        AND a.timeframe = p.timeframe
        AND a.month = p.month
        AND a.dropped_at IS NULL;
    -- or monitoring.vanished_days would list the days
    INSERT INTO monitoring.dropped_ranges (relation, range_start, range_end, reason)
    SELECT
        'public.market_data',
        min(p.range_start),
        max(p.range_end),
        'drop_expired_bars'
    FROM internal.expired_bars AS p
    WHERE p.range_start >= p_since AND p.range_end <= p_until
    HAVING count(*) > 0;
    DELETE FROM internal.expired_bars AS p
    WHERE p.range_start >= p_since AND p.range_end <= p_until;
END
$$;
COMMENT ON FUNCTION internal.drop_expired_chunk(name, name, timestamptz, timestamptz) IS
'Drops a chunk of market_data that holds only bars noted in internal.expired_bars, else deletes
these bars from it; notes the loss in the archives'' dropped_at and monitoring.dropped_ranges.';
REVOKE ALL ON FUNCTION
internal.drop_expired_chunk(name, name, timestamptz, timestamptz) FROM public;

-- A month of a series may go when it is past its time and, where its policy asks, has an archive
-- equal to the table's bars now. A chunk without other bars is dropped, which costs nothing; from
-- others the months are deleted. DROP takes a lock on the whole table: the attempt waits 2 seconds,
-- lets go and starts again, so that the feed never waits for long.
CREATE OR REPLACE PROCEDURE public.drop_expired_bars(p_attempts integer DEFAULT 10)
LANGUAGE plpgsql
AS $$
DECLARE
    v_chunk record;
    v_done record;
    v_attempt integer;
    v_dropped integer := 0;
    v_deleted bigint := 0;
BEGIN
    PERFORM public.fold_bar_changes();
    COMMIT;
    PERFORM internal.note_expired_bars();
    COMMIT;

    FOR v_chunk IN
        SELECT c.chunk_schema, c.chunk_name, c.range_start, c.range_end
        FROM timescaledb_information.chunks AS c
        WHERE c.hypertable_schema = 'public'
            AND c.hypertable_name = 'market_data'
            AND EXISTS (
                SELECT FROM internal.expired_bars AS p
                WHERE p.range_start >= c.range_start AND p.range_end <= c.range_end
            )
        ORDER BY c.range_start
    LOOP
        v_attempt := 1;
        LOOP
            BEGIN
                SET LOCAL lock_timeout = '2s';
                PERFORM internal.lift_columnstore_limit();
                SELECT d.dropped, d.deleted INTO v_done
                FROM internal.drop_expired_chunk(
                    v_chunk.chunk_schema, v_chunk.chunk_name, v_chunk.range_start,
                    v_chunk.range_end
                ) AS d;
                v_dropped := v_dropped + v_done.dropped::integer;
                v_deleted := v_deleted + v_done.deleted;
                EXIT;
            EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
                IF v_attempt >= p_attempts THEN
                    RAISE;
                END IF;
                RAISE NOTICE 'chunk % is in use, attempt %', v_chunk.chunk_name, v_attempt;
            END;
            ROLLBACK;
            PERFORM pg_catalog.pg_sleep(least(v_attempt, 5));
            v_attempt := v_attempt + 1;
        END LOOP;
        COMMIT;
    END LOOP;

    PERFORM public.fold_bar_changes();
    COMMIT;
    RAISE NOTICE '% chunks dropped, % bars deleted from others', v_dropped, v_deleted;
END
$$;
COMMENT ON PROCEDURE public.drop_expired_bars (integer) IS
'Drops months of bars that market_retention does not keep any more, only with an archive where the
policy asks for one. Commits after each chunk, so call it outside a transaction, as the owner of
market_data. A chunk whose lock is not granted within 2 seconds is tried again, p_attempts times,
then 55P03; another call goes on. A month that changed after its archive is kept, with a warning.';
REVOKE ALL ON PROCEDURE public.drop_expired_bars(integer) FROM public;
