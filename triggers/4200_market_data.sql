-- 4200_market_data.sql: the triggers of bars, in the order in which they fire.

CALL deploy.become_owner();

DROP TRIGGER IF EXISTS market_data_60_truncated ON public.market_data;
CREATE TRIGGER market_data_60_truncated
AFTER TRUNCATE ON public.market_data
FOR EACH STATEMENT EXECUTE FUNCTION internal.forget_all_bars();

-- Hypertables can hand a statement's rows to a trigger since TimescaleDB 2.18. Older ones log each
-- row, which halves the speed of COPY: functions that load many rows write the log themselves and
-- say so by a setting. A table that has lost a column is treated like this, too: TimescaleDB 2.19.3
-- ends the server when COPY then hands over the rows of a new chunk; 2.31 does not.
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
