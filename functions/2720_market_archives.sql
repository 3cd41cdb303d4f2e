-- 2720_market_archives.sql: old bars leave, month by month and chunk by chunk.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION public.expired_bar_months()
RETURNS TABLE (symbol text, timeframe text, month date, archived boolean, droppable boolean)
LANGUAGE sql
STABLE
PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        s.symbol,
        s.timeframe,
        g.month::date,
        a.symbol IS NOT NULL,
        a.symbol IS NOT NULL OR NOT r.archive
    FROM public.market_series AS s
    CROSS JOIN LATERAL (
        SELECT k.keep_for, k.archive
        FROM public.market_retention AS k
        WHERE k.symbol IN (s.symbol, '*') AND k.timeframe = s.timeframe
        ORDER BY k.symbol = '*'
        LIMIT 1
    ) AS r
    CROSS JOIN LATERAL (
        SELECT m.timestamp AS at
        FROM public.market_data AS m
        WHERE m.symbol = s.symbol AND m.timeframe = s.timeframe
        ORDER BY m.timestamp
        LIMIT 1
    ) AS f
    CROSS JOIN LATERAL generate_series(
        date_trunc('month', f.at AT TIME ZONE 'UTC'),
        date_trunc('month', (now() - r.keep_for) AT TIME ZONE 'UTC') - interval '1 month',
        interval '1 month'
    ) AS g (month)
    LEFT JOIN public.market_archives AS a
        ON a.symbol = s.symbol
            AND a.timeframe = s.timeframe
            AND a.month = g.month::date
            AND a.dropped_at IS NULL
    -- one bar of each month is looked up: of EXISTS the planner makes a join that reads all bars
    CROSS JOIN LATERAL (
        SELECT
        FROM public.market_data AS m
        WHERE m.symbol = s.symbol
            AND m.timeframe = s.timeframe
            AND m.timestamp >= g.month AT TIME ZONE 'UTC'
            AND m.timestamp < (g.month + interval '1 month') AT TIME ZONE 'UTC'
        LIMIT 1
    ) AS o
$$;
COMMENT ON FUNCTION public.expired_bar_months() IS
'Months of bars older than market_retention keeps them: whether a proved archive of them is noted,
and whether they may be dropped.';
REVOKE ALL ON FUNCTION public.expired_bar_months() FROM public;

CREATE OR REPLACE FUNCTION public.sum_bars(p_symbol text, p_timeframe text, p_month date)
RETURNS TABLE (bars bigint, price_sum numeric, volume_sum numeric)
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
    SELECT
        count(*),
        coalesce(sum(m.open + m.high + m.low + m.close), 0),
        coalesce(sum(m.volume + coalesce(m.real_volume, 0) + coalesce(m.spread, 0)), 0)
    FROM public.market_data AS m
    WHERE m.symbol = p_symbol
        AND m.timeframe = p_timeframe
        AND m.timestamp >= p_month::timestamp AT TIME ZONE 'UTC'
        AND m.timestamp < (p_month + interval '1 month') AT TIME ZONE 'UTC'
$$;
COMMENT ON FUNCTION public.sum_bars(text, text, date) IS
'Count and sums of a month (UTC) of bars, to compare with its archive.';
REVOKE ALL ON FUNCTION public.sum_bars(text, text, date) FROM public;

-- MD5, as no hash of PostgreSQL's own is promised to be the same in another version; added up, so
-- that the parts of a month make its hash.
CREATE OR REPLACE FUNCTION public.hash_bars(
    p_symbol text,
    p_timeframe text,
    p_from timestamptz,
    p_to timestamptz
)
RETURNS numeric
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
    SELECT
        coalesce(sum(('x' || left(md5(concat_ws(
            ' ', extract(EPOCH FROM m.timestamp), m.open, m.high, m.low, m.close, m.volume,
            coalesce(m.real_volume::text, '-'), coalesce(m.spread::text, '-')
        )), 16))::bit(64)::bigint), 0)
    FROM public.market_data AS m
    WHERE m.symbol = p_symbol
        AND m.timeframe = p_timeframe
        AND m.timestamp >= p_from
        AND m.timestamp < p_to
$$;
COMMENT ON FUNCTION public.hash_bars(text, text, timestamptz, timestamptz) IS
'Sum over the bars of 64 bits of the MD5 of their values, 0 for none: equal only when all are.';
REVOKE ALL ON FUNCTION public.hash_bars(text, text, timestamptz, timestamptz) FROM public;

-- What may go: a month of a series that is past its time and, where its policy asks, has an archive
-- equal to what is here now. A chunk of which nothing else is left is dropped, which costs nothing;
-- of others the months are deleted. DROP takes a lock on the whole table: it waits 2 seconds, lets
-- go and tries again, so that it never holds up the feed.
CREATE OR REPLACE PROCEDURE public.drop_expired_bars(p_attempts integer DEFAULT 10)
LANGUAGE plpgsql
AS $$
DECLARE
    v_chunk record;
    v_month record;
    v_kept boolean;
    v_attempt integer;
    v_dropped integer := 0;
    v_deleted bigint := 0;
    v_rows bigint;
BEGIN
    PERFORM public.fold_bar_changes();
    COMMIT;
    -- what an interrupted run left of a month is gone on with, while the month is still expired
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
        HAVING pg_catalog.sum(p.row_hash) IS DISTINCT FROM a.row_hash
        ORDER BY p.month, p.symbol, p.timeframe
    LOOP
        RAISE WARNING '% % of % has changed since it was archived: archive it again',
            v_month.symbol, v_month.timeframe, pg_catalog.to_char(v_month.month, 'YYYY-MM');
        DELETE FROM internal.expired_bars AS p
        WHERE p.symbol = v_month.symbol
            AND p.timeframe = v_month.timeframe
            AND p.month = v_month.month;
    END LOOP;
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
                -- writers of the past wait for us; nothing may come in between look and drop
                EXECUTE pg_catalog.format(
                    'LOCK TABLE %I.%I IN SHARE ROW EXCLUSIVE MODE',
                    v_chunk.chunk_schema, v_chunk.chunk_name
                );
                FOR v_month IN
                    DELETE FROM internal.expired_bars AS p
                    WHERE p.range_start >= v_chunk.range_start
                        AND p.range_end <= v_chunk.range_end
                        AND p.row_hash
                            <> public.hash_bars(p.symbol, p.timeframe, p.range_start, p.range_end)
                    RETURNING p.symbol, p.timeframe, p.month
                LOOP
                    RAISE WARNING '% % of % changed while it was being dropped: what changed stays, '
                        'scripts/archive_bars.py write says what to do',
                        v_month.symbol, v_month.timeframe,
                        pg_catalog.to_char(v_month.month, 'YYYY-MM');
                END LOOP;
                EXECUTE pg_catalog.format(
                    'SELECT EXISTS (SELECT FROM %I.%I AS m WHERE NOT EXISTS ('
                    ' SELECT FROM internal.expired_bars AS e WHERE e.symbol = m.symbol'
                    ' AND e.timeframe = m.timeframe'
                    ' AND m.timestamp >= e.range_start AND m.timestamp < e.range_end))',
                    v_chunk.chunk_schema, v_chunk.chunk_name
                ) INTO v_kept;
                IF v_kept THEN
                    WITH gone AS (
                        DELETE FROM public.market_data AS m
                        USING internal.expired_bars AS e
                        WHERE m.symbol = e.symbol
                            AND m.timeframe = e.timeframe
                            AND m.timestamp >= e.range_start
                            AND m.timestamp < e.range_end
                            AND m.timestamp >= v_chunk.range_start
                            AND m.timestamp < v_chunk.range_end
                        RETURNING m.symbol, m.timeframe, m.timestamp AS at
                    ),

                    logged AS (
                        INSERT INTO internal.bar_changes (
                            symbol, timeframe, bars, first_timestamp, last_timestamp
                        )
                        SELECT
                            g.symbol, g.timeframe, -pg_catalog.count(*), pg_catalog.min(g.at),
                            pg_catalog.max(g.at)
                        FROM gone AS g
                        WHERE NOT EXISTS (
                            SELECT FROM pg_catalog.pg_trigger AS t
                            WHERE t.tgrelid = 'public.market_data'::pg_catalog.regclass
                                AND t.tgname = 'market_data_50_deleted'
                        )
                        GROUP BY g.symbol, g.timeframe
                    )

                    SELECT pg_catalog.count(*) INTO v_rows FROM gone;
                    v_deleted := v_deleted + v_rows;
                ELSE
                    EXECUTE pg_catalog.format(
                        'INSERT INTO internal.bar_changes'
                        ' (symbol, timeframe, bars, first_timestamp, last_timestamp)'
                        ' SELECT m.symbol, m.timeframe, -pg_catalog.count(*),'
                        ' pg_catalog.min(m.timestamp), pg_catalog.max(m.timestamp)'
                        ' FROM %I.%I AS m GROUP BY m.symbol, m.timeframe',
                        v_chunk.chunk_schema, v_chunk.chunk_name
                    );
                    PERFORM public.drop_chunks(
                        'public.market_data',
                        older_than => v_chunk.range_end, newer_than => v_chunk.range_start
                    );
                    v_dropped := v_dropped + 1;
                END IF;
                -- from now on the archive is all there is of the month
                UPDATE public.market_archives AS a SET dropped_at = pg_catalog.now()
                FROM internal.expired_bars AS p
                WHERE p.range_start >= v_chunk.range_start
                    AND p.range_end <= v_chunk.range_end
                    AND p.row_hash <> 0
                    AND a.symbol = p.symbol
                    AND a.timeframe = p.timeframe
                    AND a.month = p.month
                    AND a.dropped_at IS NULL;
                -- or monitoring.vanished_days would tell of them
                INSERT INTO monitoring.dropped_ranges (relation, range_start, range_end, reason)
                SELECT
                    'public.market_data',
                    pg_catalog.min(p.range_start),
                    pg_catalog.max(p.range_end),
                    'drop_expired_bars'
                FROM internal.expired_bars AS p
                WHERE p.range_start >= v_chunk.range_start AND p.range_end <= v_chunk.range_end
                HAVING pg_catalog.count(*) > 0;
                DELETE FROM internal.expired_bars AS p
                WHERE p.range_start >= v_chunk.range_start AND p.range_end <= v_chunk.range_end;
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
'Drops months of bars that market_retention does not keep any more, archived ones only where it asks
for that. Commits after each chunk, so call it outside a transaction, as the owner of market_data.
A chunk whose lock is not had within 2 seconds is tried again, p_attempts times, then 55P03; called
again, it goes on. What changed since it was archived is kept, with a warning.';
REVOKE ALL ON PROCEDURE public.drop_expired_bars(integer) FROM public;

-- Once no more bars come, a chunk is written in the order of its key: a series lies together and
-- the index is full. Apache has no reorder policy; CLUSTER locks the chunk while it works.
CREATE OR REPLACE PROCEDURE public.cluster_closed_chunks(
    p_closed_for interval DEFAULT '7 days',
    p_limit integer DEFAULT 100
)
LANGUAGE plpgsql
AS $$
DECLARE
    v_chunk record;
    v_done integer := 0;
BEGIN
    FOR v_chunk IN
        SELECT c.chunk_schema, c.chunk_name, i.indexrelid::pg_catalog.regclass AS key
        FROM timescaledb_information.chunks AS c
        INNER JOIN pg_catalog.pg_namespace AS n ON n.nspname = c.chunk_schema
        INNER JOIN pg_catalog.pg_class AS r ON r.relnamespace = n.oid AND r.relname = c.chunk_name
        INNER JOIN pg_catalog.pg_index AS i ON i.indrelid = r.oid AND i.indisprimary
        WHERE c.hypertable_schema = 'public'
            AND c.hypertable_name IN ('market_data', 'market_ticks')
            -- columnstore orders its chunks itself
            AND NOT monitoring.has_columnstore(c.hypertable_name::text)
            AND c.range_end < pg_catalog.now() - p_closed_for
            AND NOT i.indisclustered
        ORDER BY c.range_start
        LIMIT p_limit
    LOOP
        BEGIN
            SET LOCAL lock_timeout = '2s';
            -- nothing is to be written here again: full pages
            EXECUTE pg_catalog.format('ALTER INDEX %s SET (fillfactor = 100)', v_chunk.key);
            EXECUTE pg_catalog.format(
                'CLUSTER %I.%I USING %I', v_chunk.chunk_schema, v_chunk.chunk_name, (
                    SELECT k.relname FROM pg_catalog.pg_class AS k WHERE k.oid = v_chunk.key
                )
            );
            EXECUTE pg_catalog.format('ANALYZE %I.%I', v_chunk.chunk_schema, v_chunk.chunk_name);
            v_done := v_done + 1;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            RAISE NOTICE 'chunk % is in use, left for the next call', v_chunk.chunk_name;
        END;
        COMMIT;
    END LOOP;
    RAISE NOTICE '% chunks clustered', v_done;
END
$$;
COMMENT ON PROCEDURE public.cluster_closed_chunks (interval, integer) IS
'Orders chunks of market_data and market_ticks by their key, once, when they ended p_closed_for ago;
p_limit at most. Commits after each, so call it outside a transaction, as the owner. Bars written to
such a chunk later are found all the same. A table with columnstore is left alone.';
REVOKE ALL ON PROCEDURE public.cluster_closed_chunks(interval, integer) FROM public;
