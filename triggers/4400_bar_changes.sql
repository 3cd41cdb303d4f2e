-- 4400_bar_changes.sql: every change of bars is logged with its series and its range of time.
-- needs: schema/0400_market_series.sql, functions/2010_timescaledb_edition.sql
-- transaction: yes

CALL deploy.become_owner();

-- Once for each statement, from its rows: COPY pays one grouping, not a trigger call for each row,
-- and that TimescaleDB's COPY inserts row by row where a trigger is handed the rows: together a
-- quarter of its time. Nothing else tells which series has how many more bars without reading them
-- again. SECURITY DEFINER: the log belongs to nobody but its owner.
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
'Trigger: logs which series changed, by how many bars and in which range of time.';
REVOKE ALL ON FUNCTION internal.log_bar_changes() FROM public;

-- The same row by row, for servers that hand no statement's rows to the trigger of a hypertable.
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
'Trigger: logs a changed bar, where TimescaleDB is too old to log a statement.';
REVOKE ALL ON FUNCTION internal.log_changed_bar() FROM public;

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
'Trigger: after TRUNCATE there are no bars to count and everything has to be made again.';
REVOKE ALL ON FUNCTION internal.forget_all_bars() FROM public;

DROP TRIGGER IF EXISTS market_data_60_truncated ON public.market_data;
CREATE TRIGGER market_data_60_truncated
AFTER TRUNCATE ON public.market_data
FOR EACH STATEMENT EXECUTE FUNCTION internal.forget_all_bars();

-- A clock that is corrected moves the bars made by it, another source of bars changes them all.
CREATE OR REPLACE FUNCTION internal.remake_rollups_of_series()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE public.market_rollups SET pending = '{(,)}'
    WHERE symbol = NEW.symbol AND from_timeframe = NEW.timeframe;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.remake_rollups_of_series() IS
'Trigger: has resampled bars made anew when the clock of what they are made of changes.';
REVOKE ALL ON FUNCTION internal.remake_rollups_of_series() FROM public;

CREATE OR REPLACE FUNCTION internal.remake_rollup()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.pending := '{(,)}';
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION internal.remake_rollup() IS
'Trigger: has resampled bars made anew when they are to be made of another timeframe.';
REVOKE ALL ON FUNCTION internal.remake_rollup() FROM public;

DROP TRIGGER IF EXISTS market_series_50_clock_changed ON public.market_series;
CREATE TRIGGER market_series_50_clock_changed
AFTER UPDATE OF clock ON public.market_series
FOR EACH ROW WHEN (old.clock <> new.clock) EXECUTE FUNCTION internal.remake_rollups_of_series();

DROP TRIGGER IF EXISTS market_rollups_50_source_changed ON public.market_rollups;
CREATE TRIGGER market_rollups_50_source_changed
BEFORE UPDATE OF from_timeframe ON public.market_rollups
FOR EACH ROW
WHEN (old.from_timeframe <> new.from_timeframe) EXECUTE FUNCTION internal.remake_rollup();

-- Hypertables can hand a statement's rows to a trigger since TimescaleDB 2.18. Older ones log each
-- row, which halves the speed of COPY: functions that load many log for themselves and say so by a
-- setting. The same where the table has lost a column: TimescaleDB 2.19.3 ends the server when COPY
-- then hands over the rows of a new chunk; 2.31 does not.
DO $$
DECLARE
    v_version integer;
BEGIN
    SELECT v.part[1]::integer * 1000 + v.part[2]::integer INTO v_version
    FROM pg_catalog.pg_extension AS e,
        string_to_array(e.extversion, '.') AS v (part)
    WHERE e.extname = 'timescaledb';
    DROP TRIGGER IF EXISTS market_data_50_inserted ON public.market_data;
    DROP TRIGGER IF EXISTS market_data_50_updated ON public.market_data;
    DROP TRIGGER IF EXISTS market_data_50_deleted ON public.market_data;
    IF v_version < 2018 OR (v_version < 2031 AND EXISTS (
        SELECT FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = 'public.market_data'::regclass AND a.attisdropped
    )) THEN
        CREATE TRIGGER market_data_50_inserted
        AFTER INSERT ON public.market_data
        FOR EACH ROW WHEN (current_setting('rubi.bars_logged', TRUE) IS DISTINCT FROM 'on')
        EXECUTE FUNCTION internal.log_changed_bar();
        CREATE TRIGGER market_data_50_updated
        AFTER UPDATE ON public.market_data
        FOR EACH ROW WHEN (current_setting('rubi.bars_logged', TRUE) IS DISTINCT FROM 'on')
        EXECUTE FUNCTION internal.log_changed_bar();
        CREATE TRIGGER market_data_50_deleted
        AFTER DELETE ON public.market_data
        FOR EACH ROW WHEN (current_setting('rubi.bars_logged', TRUE) IS DISTINCT FROM 'on')
        EXECUTE FUNCTION internal.log_changed_bar();
        RETURN;
    END IF;
    CREATE TRIGGER market_data_50_inserted
    AFTER INSERT ON public.market_data
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION internal.log_bar_changes();
    CREATE TRIGGER market_data_50_updated
    AFTER UPDATE ON public.market_data
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION internal.log_bar_changes();
    -- a table with columnstore can't have this one: count_bars() after deleting by hand there
    IF NOT monitoring.has_columnstore('market_data') THEN
        CREATE TRIGGER market_data_50_deleted
        AFTER DELETE ON public.market_data
        REFERENCING OLD TABLE AS old_rows
        FOR EACH STATEMENT EXECUTE FUNCTION internal.log_bar_changes();
    END IF;
END
$$;
