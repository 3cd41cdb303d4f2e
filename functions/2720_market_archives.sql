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

-- MD5, as PostgreSQL's own hashes may differ between versions; added up, so that the parts of a
-- month make its hash.
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

CREATE OR REPLACE FUNCTION internal.cluster_chunk(p_chunk regclass)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_key regclass := (
        SELECT i.indexrelid FROM pg_index AS i WHERE i.indrelid = p_chunk AND i.indisprimary
    );
BEGIN
    -- no row is to be written here again: full pages
    EXECUTE format('ALTER INDEX %s SET (fillfactor = 100)', v_key);
    EXECUTE format(
        'CLUSTER %s USING %I',
        p_chunk,
        (SELECT k.relname FROM pg_class AS k WHERE k.oid = v_key)
    );
    EXECUTE format('ANALYZE %s', p_chunk);
END
$$;
COMMENT ON FUNCTION internal.cluster_chunk(regclass) IS
'Writes a chunk again in the order of its key, with full pages; locks it meanwhile.';
REVOKE ALL ON FUNCTION internal.cluster_chunk(regclass) FROM public;

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
        SELECT c.chunk_name, r.oid::pg_catalog.regclass AS chunk
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
            PERFORM internal.cluster_chunk(v_chunk.chunk);
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
such a chunk later are found, too. A table with columnstore is left alone.';
REVOKE ALL ON PROCEDURE public.cluster_closed_chunks(interval, integer) FROM public;
