-- 2051_make_chunks_ahead.sql: chunks of the hypertables made before they are needed.

CALL deploy.become_owner();

-- One row inserted and deleted: the chunk stays. The tables' CHECKs let the owner do so.
CREATE OR REPLACE FUNCTION internal.make_chunk(p_table text, p_at timestamptz)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_before text := coalesce(current_setting('rubi.makes_chunks', TRUE), '');
BEGIN
    PERFORM set_config('rubi.makes_chunks', 'on', TRUE);
    IF p_table = 'market_data' THEN
        INSERT INTO public.market_data (symbol, timeframe, timestamp, open, high, low, close)
        VALUES ('chunk made ahead', 'M1', p_at, 0, 0, 0, 0);
        DELETE FROM public.market_data
        WHERE symbol = 'chunk made ahead' AND timeframe = 'M1' AND timestamp = p_at;
        -- the log has the insert but not the delete where columnstore forbids a DELETE trigger
        DELETE FROM internal.bar_changes WHERE symbol = 'chunk made ahead';
    ELSIF p_table = 'resampled_bars' THEN
        INSERT INTO public.resampled_bars (
            symbol, timeframe, timestamp, open, high, low, close, volume, bars
        )
        VALUES ('chunk made ahead', 'M1', p_at, 0, 0, 0, 0, 0, 0);
        DELETE FROM public.resampled_bars
        WHERE symbol = 'chunk made ahead' AND timeframe = 'M1' AND timestamp = p_at;
    ELSIF p_table = 'mt5_events' THEN
        INSERT INTO public.mt5_events (
            account_id, kind, what, id, seen_at, taken_at, era, new_values
        )
        VALUES (0, 'account', 'new', 0, p_at, now(), 0, '{}');
        DELETE FROM public.mt5_events
        WHERE account_id = 0 AND kind = 'account' AND id = 0 AND seen_at = p_at;
    ELSE
        INSERT INTO public.market_ticks (symbol, timestamp, bid)
        VALUES ('chunk made ahead', p_at, 0);
        DELETE FROM public.market_ticks
        WHERE symbol = 'chunk made ahead' AND timestamp = p_at;
    END IF;
    PERFORM set_config('rubi.makes_chunks', v_before, TRUE);
END
$$;
COMMENT ON FUNCTION internal.make_chunk(text, timestamptz) IS
'Makes the chunk of market_data, market_ticks, mt5_events or resampled_bars that holds a moment.';
REVOKE ALL ON FUNCTION internal.make_chunk(text, timestamptz) FROM public;

-- A scheduled call makes chunks in transactions of their own, so that no client waits for one. The
-- path is set in the body, again after each COMMIT, because a procedure with a SET clause may not
-- COMMIT.
CREATE OR REPLACE PROCEDURE monitoring.make_chunks_ahead(p_count integer DEFAULT 2)
LANGUAGE plpgsql
AS $$
DECLARE
    v_due record;
BEGIN
    SET LOCAL search_path = pg_catalog, pg_temp;
    FOR v_due IN
        SELECT
            d.hypertable_name::text AS hypertable,
            pg_catalog.now() + n.ahead * d.time_interval AS at
        FROM timescaledb_information.dimensions AS d
        CROSS JOIN pg_catalog.generate_series(0, p_count) AS n (ahead)
        WHERE d.hypertable_schema = 'public'
            AND (
                d.hypertable_name IN ('market_data', 'market_ticks', 'mt5_events')
                OR (d.hypertable_name = 'account_snapshots' AND n.ahead = p_count)
            )
        ORDER BY 1, 2
    LOOP
        SET LOCAL lock_timeout = '2s';
        IF v_due.hypertable = 'account_snapshots' THEN
            PERFORM internal.fence_snapshots(pg_catalog.now(), v_due.at);
        ELSIF NOT EXISTS (
            SELECT FROM timescaledb_information.chunks AS c
            WHERE c.hypertable_schema = 'public'
                AND c.hypertable_name = v_due.hypertable
                AND v_due.at >= c.range_start AND v_due.at < c.range_end
        ) THEN
            PERFORM internal.make_chunk(v_due.hypertable, v_due.at);
        END IF;
        COMMIT;
        SET LOCAL search_path = pg_catalog, pg_temp;
    END LOOP;
    SET LOCAL lock_timeout = '2s';
    PERFORM internal.fence_market();
    COMMIT;
END
$$;
COMMENT ON PROCEDURE monitoring.make_chunks_ahead (integer) IS
'Makes the current and the next p_count chunks of account_snapshots, market_data, market_ticks and
mt5_events where they are missing, and the fences of these. Commits after each, so call it outside a
transaction, daily. Raises 55P03 when a lock is not granted within 2 seconds, 40P01 after a deadlock
with a client: call again.';
REVOKE ALL ON PROCEDURE monitoring.make_chunks_ahead(integer) FROM public;

CREATE OR REPLACE PROCEDURE monitoring.make_snapshot_chunks(p_from timestamptz, p_to timestamptz)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '2s'
AS $$
BEGIN
    PERFORM internal.fence_snapshots(p_from, least(p_to, now()));
END
$$;
COMMENT ON PROCEDURE monitoring.make_snapshot_chunks (timestamptz, timestamptz) IS
'Makes the weekly chunks of account_snapshots from p_from, 2000 at the earliest, to p_to: before a
load of history, which would otherwise lie in one large chunk. Existing rows move along. Raises
55P03 when a lock is not granted within 2 seconds: call again.';
REVOKE ALL ON PROCEDURE monitoring.make_snapshot_chunks(timestamptz, timestamptz) FROM public;

-- One chunk for all before 1970: daily bars may be of 1700 and would make 3,000, and a row that no
-- CHECK allows then makes no chunk. TRUNCATE takes this chunk away with all others.
CREATE OR REPLACE FUNCTION internal.fence_market()
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_due record;
BEGIN
    FOR v_due IN
        SELECT
            d.hypertable_name::text AS hypertable,
            d.time_interval
        FROM timescaledb_information.dimensions AS d
        WHERE d.hypertable_schema = 'public'
            AND d.hypertable_name IN ('market_data', 'market_ticks', 'resampled_bars')
            AND NOT EXISTS (
                SELECT FROM timescaledb_information.chunks AS c
                WHERE c.hypertable_schema = d.hypertable_schema
                    AND c.hypertable_name = d.hypertable_name
                    AND c.range_end <= '1970-01-01 00:00:00+00'
            )
    LOOP
        PERFORM public.set_chunk_time_interval(
            format('public.%I', v_due.hypertable)::regclass, 9223372036854775807
        );
        PERFORM internal.make_chunk(v_due.hypertable, '1969-12-31 00:00:00+00');
        PERFORM public.set_chunk_time_interval(
            format('public.%I', v_due.hypertable)::regclass, v_due.time_interval
        );
    END LOOP;
END
$$;
COMMENT ON FUNCTION internal.fence_market() IS
'Makes the chunk of market_data, market_ticks and resampled_bars that holds all time before 1970,
unless it exists.';
REVOKE ALL ON FUNCTION internal.fence_market() FROM public;
SELECT internal.fence_market();
