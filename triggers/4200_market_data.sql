-- 4200_market_data.sql: the triggers of bars, in the order in which they fire.

CALL deploy.become_owner();

DROP TRIGGER IF EXISTS market_data_60_truncated ON public.market_data;
CREATE TRIGGER market_data_60_truncated
AFTER TRUNCATE ON public.market_data
FOR EACH STATEMENT EXECUTE FUNCTION internal.forget_all_bars();

DROP TRIGGER IF EXISTS market_data_40_copy_begins ON public.market_data;
CREATE TRIGGER market_data_40_copy_begins
BEFORE INSERT ON public.market_data
FOR EACH STATEMENT EXECUTE FUNCTION internal.begin_bar_copy();

DROP TRIGGER IF EXISTS market_data_55_copied ON public.market_data;
CREATE TRIGGER market_data_55_copied
AFTER INSERT ON public.market_data
FOR EACH STATEMENT EXECUTE FUNCTION internal.log_copied_bars();

-- INSERT is logged by row, COPY at its end, and functions that load many rows write the log
-- themselves and say so by a setting: a trigger that takes an INSERT's rows would make COPY a third
-- slower. UPDATE and DELETE hand over their rows, which hypertables can do since
-- TimescaleDB 2.18; older ones log each row. A table that has lost a column is treated like this,
-- too: TimescaleDB 2.19.3 ends the server when it then hands over the rows of a new chunk; 2.31
-- does not. Columnstore moves rows as it writes: there COPY is not counted by its pages, and its
-- rows are handed over.
DO $$
DECLARE
    v_by_row boolean;
BEGIN
    SELECT v.part[1]::integer * 1000 + v.part[2]::integer < CASE
        WHEN EXISTS (
            SELECT FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid = 'public.market_data'::regclass AND a.attisdropped
        ) THEN 2031
        ELSE 2018
    END
    INTO v_by_row
    FROM pg_catalog.pg_extension AS e,
        string_to_array(e.extversion, '.') AS v (part)
    WHERE e.extname = 'timescaledb';
    DROP TRIGGER IF EXISTS market_data_50_inserted ON public.market_data;
    DROP TRIGGER IF EXISTS market_data_50_updated ON public.market_data;
    DROP TRIGGER IF EXISTS market_data_50_deleted ON public.market_data;
    IF NOT v_by_row AND monitoring.has_columnstore('market_data') THEN
        CREATE TRIGGER market_data_50_inserted
        AFTER INSERT ON public.market_data
        REFERENCING NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION internal.log_bar_changes();
    ELSE
        CREATE TRIGGER market_data_50_inserted
        AFTER INSERT ON public.market_data
        FOR EACH ROW WHEN (current_setting('rubi.bars_logged', TRUE) IS DISTINCT FROM 'on')
        EXECUTE FUNCTION internal.log_changed_bar();
    END IF;
    IF v_by_row THEN
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
    CREATE TRIGGER market_data_50_updated
    AFTER UPDATE ON public.market_data
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION internal.log_bar_changes();
    -- a table with columnstore can't have this trigger: call count_bars() after deleting by hand
    -- there
    IF NOT monitoring.has_columnstore('market_data') THEN
        CREATE TRIGGER market_data_50_deleted
        AFTER DELETE ON public.market_data
        REFERENCING OLD TABLE AS old_rows
        FOR EACH STATEMENT EXECUTE FUNCTION internal.log_bar_changes();
    END IF;
END
$$;
