-- 2200_log_bar_changes.sql: every change of bars is logged with its series and its range of time.

CALL deploy.become_owner();

-- Once for each statement, from its rows, for UPDATE and DELETE; for INSERT only where a table has
-- columnstore: TimescaleDB's COPY writes row by row where a trigger takes the rows. Only this log
-- tells the number of new bars of each series without reading bars again.
-- SECURITY DEFINER: only its owner has rights on the log.
CREATE OR REPLACE FUNCTION internal.log_bar_changes()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the log of changes is the owner's alone
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP IN ('UPDATE', 'DELETE') THEN
        INSERT INTO internal.bar_changes (
            symbol, timeframe, bars, first_timestamp, last_timestamp
        )
        SELECT o.symbol, o.timeframe, -count(*), min(o.timestamp), max(o.timestamp)
        FROM old_rows AS o
        GROUP BY o.symbol, o.timeframe;
    END IF;
    IF TG_OP IN ('UPDATE', 'INSERT') THEN
        INSERT INTO internal.bar_changes (
            symbol, timeframe, bars, first_timestamp, last_timestamp
        )
        SELECT n.symbol, n.timeframe, count(*), min(n.timestamp), max(n.timestamp)
        FROM new_rows AS n
        GROUP BY n.symbol, n.timeframe;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.log_bar_changes() IS
'Trigger: logs the changed series, the number of bars and the range of time.';
REVOKE ALL ON FUNCTION internal.log_bar_changes() FROM public;

-- Row by row: INSERT by others than COPY and the functions that log what they wrote themselves, and
-- all changes on servers that hand no statement's rows to the trigger of a hypertable.
CREATE OR REPLACE FUNCTION internal.log_changed_bar()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the log of changes is the owner's alone
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP IN ('UPDATE', 'DELETE') THEN
        INSERT INTO internal.bar_changes (
            symbol, timeframe, bars, first_timestamp, last_timestamp
        )
        VALUES (OLD.symbol, OLD.timeframe, -1, OLD.timestamp, OLD.timestamp);
    END IF;
    IF TG_OP IN ('UPDATE', 'INSERT') THEN
        INSERT INTO internal.bar_changes (
            symbol, timeframe, bars, first_timestamp, last_timestamp
        )
        VALUES (NEW.symbol, NEW.timeframe, 1, NEW.timestamp, NEW.timestamp);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.log_changed_bar() IS
'Trigger: logs a changed bar; all but INSERT only where TimescaleDB is too old to log a statement.';
REVOKE ALL ON FUNCTION internal.log_changed_bar() FROM public;

-- A COPY is told by its text: only a statement that copies into market_data, and nothing after it,
-- is surely one. What is not recognized is logged row by row, which is as exact and takes longer.
-- Counters of the transaction tell afterwards which chunks got rows.
CREATE OR REPLACE FUNCTION internal.begin_bar_copy()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- asks for columnstore
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c_longest CONSTANT integer := 2000; -- an INSERT of many rows is not searched
    c_copy CONSTANT text :=
        '^[ \t\r\n]*copy[ \t\r\n]+("?public"?[.])?"?market_data"?[ \t\r\n(][^;]*;?[ \t\r\n]*$';
BEGIN
    IF octet_length(current_query()) < c_longest
        AND current_query() COLLATE "C" ~* c_copy
        AND current_setting('track_counts')::boolean
        AND NOT monitoring.has_columnstore('market_data')
    THEN
        PERFORM
            set_config('rubi.bars_logged', 'on', TRUE),
            set_config(
                'rubi.bars_before', coalesce(jsonb_object_agg(c.chunk, c.bars), '{}')::text, TRUE
            )
        FROM (
            SELECT
                i.inhrelid::text AS chunk,
                pg_stat_get_xact_tuples_inserted(i.inhrelid) AS bars
            FROM pg_inherits AS i
            WHERE i.inhparent = TG_RELID
        ) AS c
        WHERE c.bars > 0;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.begin_bar_copy() IS
'Trigger: has a COPY into market_data be counted at its end, not row by row.';
REVOKE ALL ON FUNCTION internal.begin_bar_copy() FROM public;

-- New rows of a chunk lie at its end, or where rows were deleted before: more pages are read until
-- all rows that the counter tells are found. xmin is of the current subtransaction, as a row that
-- is written now has it; cmin tells these rows from those of earlier statements.
CREATE OR REPLACE FUNCTION internal.find_copied_bars(p_chunk regclass, p_bars bigint, p_xmin xid)
RETURNS SETOF internal.bar_changes
LANGUAGE plpgsql
VOLATILE
STRICT
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET max_parallel_workers_per_gather = 0
AS $$
DECLARE
    c_bars_a_page CONSTANT integer := 60;
    c_spare_pages CONSTANT integer := 70; -- COPY extends a table by up to 64 pages
    v_pages bigint := pg_relation_size(p_chunk) / current_setting('block_size')::integer;
    v_take bigint := p_bars / c_bars_a_page + c_spare_pages;
    v_changes internal.bar_changes [];
    v_found bigint;
BEGIN
    LOOP
        EXECUTE format(
            'SELECT sum(l.bars), array_agg('
            ' (l.symbol, l.timeframe, l.bars, l.first_at, l.last_at)::internal.bar_changes)'
            ' FROM (SELECT g.*, max(g.command) OVER () AS last_command'
            ' FROM (SELECT m.symbol, m.timeframe, m.cmin::text::bigint AS command,'
            ' count(*) AS bars, min(m.timestamp) AS first_at, max(m.timestamp) AS last_at'
            ' FROM ONLY %s AS m WHERE m.ctid >= $1 AND m.xmin = $2'
            ' GROUP BY m.symbol, m.timeframe, m.cmin) AS g) AS l'
            ' WHERE l.command = l.last_command',
            p_chunk
        )
        INTO v_found, v_changes
        USING format('(%s,0)', greatest(v_pages - v_take, 0))::tid, p_xmin;
        EXIT WHEN v_found = p_bars OR v_take >= v_pages;
        v_take := v_take * 8;
    END LOOP;
    RETURN QUERY SELECT u.* FROM unnest(v_changes) AS u;
END
$$;
COMMENT ON FUNCTION internal.find_copied_bars(regclass, bigint, xid) IS
'The bars that the last statement of a transaction has written into a chunk, by series.';
REVOKE ALL ON FUNCTION internal.find_copied_bars(regclass, bigint, xid) FROM public;

CREATE OR REPLACE FUNCTION internal.log_copied_bars()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the log of changes is the owner's alone
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_before jsonb := nullif(current_setting('rubi.bars_before', TRUE), '');
    v_xmin xid;
BEGIN
    IF v_before IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM
        set_config('rubi.bars_logged', 'off', TRUE),
        set_config('rubi.bars_before', '', TRUE);
    INSERT INTO internal.bar_changes (symbol, timeframe, bars, first_timestamp, last_timestamp)
    VALUES ('being copied', 'M1', 0, now(), now())
    RETURNING xmin INTO v_xmin;
    DELETE FROM internal.bar_changes AS c
    WHERE c.xmin = v_xmin AND c.symbol = 'being copied';
    INSERT INTO internal.bar_changes (symbol, timeframe, bars, first_timestamp, last_timestamp)
    SELECT f.symbol, f.timeframe, f.bars, f.first_timestamp, f.last_timestamp
    FROM (
        SELECT
            i.inhrelid::regclass AS chunk,
            pg_stat_get_xact_tuples_inserted(i.inhrelid)
            - coalesce((v_before ->> i.inhrelid::text)::bigint, 0) AS bars
        FROM pg_inherits AS i
        WHERE i.inhparent = TG_RELID
        OFFSET 0
    ) AS c
    CROSS JOIN LATERAL internal.find_copied_bars(c.chunk, c.bars, v_xmin) AS f
    WHERE c.bars > 0;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.log_copied_bars() IS
'Trigger: logs the bars that COPY has written, counted in the pages that it filled.';
REVOKE ALL ON FUNCTION internal.log_copied_bars() FROM public;

CREATE OR REPLACE FUNCTION internal.forget_all_bars()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the log of changes is the owner's alone
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM internal.bar_changes;
    UPDATE public.market_series SET bars = 0 WHERE bars <> 0;
    UPDATE public.market_rollups SET pending = '{(,)}';
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.forget_all_bars() IS
'Trigger: after TRUNCATE there are no bars to count and all resampled bars have to be made again.';
REVOKE ALL ON FUNCTION internal.forget_all_bars() FROM public;
