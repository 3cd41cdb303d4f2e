-- 2020_make_chunks_ahead.sql: chunks of the hypertables made before they are needed.
-- needs: schema/0170_account_snapshots.sql, schema/0180_market_data.sql,
--        schema/0420_market_ticks.sql
-- transaction: yes

CALL deploy.become_owner();

-- A new chunk of account_snapshots takes SHARE ROW EXCLUSIVE on mt5_sessions for its foreign key:
-- heartbeats wait, and two clients that send a heartbeat and the first snapshot of a week in one
-- transaction deadlock. A scheduled call of this procedure makes the chunk in a transaction of its
-- own: it inserts one row, deletes it, and the chunk stays. The path is set in the
-- body, again after each COMMIT, because a procedure with a SET clause may not COMMIT.
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
            AND d.hypertable_name IN ('account_snapshots', 'market_data', 'market_ticks')
        ORDER BY 1, 2
    LOOP
        IF NOT EXISTS (
            SELECT FROM timescaledb_information.chunks AS c
            WHERE c.hypertable_schema = 'public'
                AND c.hypertable_name = v_due.hypertable
                AND v_due.at >= c.range_start AND v_due.at < c.range_end
        ) THEN
            SET LOCAL lock_timeout = '2s';
            IF v_due.hypertable = 'market_data' THEN
                INSERT INTO public.market_data (
                    symbol, timeframe, timestamp, open, high, low, close
                )
                VALUES ('chunk made ahead', 'M1', v_due.at, 0, 0, 0, 0);
                DELETE FROM public.market_data
                WHERE symbol = 'chunk made ahead' AND timeframe = 'M1' AND timestamp = v_due.at;
            ELSIF v_due.hypertable = 'market_ticks' THEN
                INSERT INTO public.market_ticks (symbol, timestamp, bid)
                VALUES ('chunk made ahead', v_due.at, 0);
                DELETE FROM public.market_ticks
                WHERE symbol = 'chunk made ahead' AND timestamp = v_due.at;
            ELSE
                -- without any session there is nobody to write snapshots either
                INSERT INTO public.account_snapshots (session_id, balance, equity, timestamp)
                SELECT s.session_id, 0, 0, v_due.at
                FROM public.mt5_sessions AS s
                LIMIT 1;
                DELETE FROM public.account_snapshots
                WHERE timestamp = v_due.at AND balance = 0 AND equity = 0;
            END IF;
            COMMIT;
            SET LOCAL search_path = pg_catalog, pg_temp;
        END IF;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE monitoring.make_chunks_ahead (integer) IS
'Makes the current and the next p_count chunks of account_snapshots, market_data and market_ticks
where they are missing. Commits after each, so call it outside a transaction, daily. Raises 55P03 when a lock is
not had within 2 seconds: call again.';
REVOKE ALL ON PROCEDURE monitoring.make_chunks_ahead(integer) FROM public;
