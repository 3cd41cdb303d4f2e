-- 2200_log_bar_changes.sql: every change of bars is logged with its series and its range of time.

CALL deploy.become_owner();

-- Once for each statement, from its rows. COPY pays a grouping, not a trigger call for each row;
-- and TimescaleDB's COPY inserts row by row where a trigger takes the rows: together an eighth of
-- the server's processor time. Counting at the end in the pages that COPY filled takes as long, and
-- numbers of commands don't surely tell its rows from those of earlier statements. Only this log
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

-- Row by row, for servers that hand no statement's rows to the trigger of a hypertable.
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
'Trigger: after TRUNCATE there are no bars to count and all resampled bars have to be made again.';
REVOKE ALL ON FUNCTION internal.forget_all_bars() FROM public;
