-- 2070_subscribe.sql: news of signals, positions and events, without cost while nobody listens.

CALL deploy.become_owner();

-- A transaction that sends NOTIFY holds a lock of the whole cluster until its commit is on disk, so
-- such commits go one by one: inserting signals from 16 connections ran at 0.4 of its rate. So the
-- triggers (functions/2140_signal_triggers.sql) ask first whether anybody has subscribed. A
-- subscriber holds a shared advisory lock until it disconnects, of the class 1381319241 (RUBI in
-- ASCII) and the number of its channel, 1 to 4; a trigger tries for the exclusive lock and gives it
-- back immediately. When the lock is refused, this function tells a subscriber from another trigger
-- that asks in the same moment.
CREATE OR REPLACE FUNCTION public.has_subscribers(p_channel text)
RETURNS boolean
LANGUAGE sql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
SELECT EXISTS (
    SELECT FROM pg_locks AS l
    WHERE l.locktype = 'advisory'
        AND l.mode = 'ShareLock'
        AND l.granted
        AND l.classid = 1381319241
        AND l.objid = CASE p_channel
            WHEN 'rubi_signals' THEN 1
            WHEN 'rubi_positions' THEN 2
            WHEN 'rubi_events' THEN 3
            WHEN 'rubi_risk' THEN 4
        END::oid
        AND l.objsubid = 2
        AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
)
$$;
COMMENT ON FUNCTION public.has_subscribers(text) IS
'Whether a session has called subscribe() for the channel and is still connected.';
REVOKE ALL ON FUNCTION public.has_subscribers(text) FROM public;

-- Transactions that write now may have asked before this session subscribed and will send nothing:
-- the function returns when they have ended, so that a later read holds their rows, and later news
-- is heard.
CREATE OR REPLACE FUNCTION public.subscribe(p_channel text)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c_news CONSTANT integer := 1381319241; -- class of locks, as above
    v_table regclass := CASE p_channel
        WHEN 'rubi_signals' THEN 'public.trading_signals'
        WHEN 'rubi_positions' THEN 'public.trading_positions'
        WHEN 'rubi_events' THEN 'public.mt5_events'
        WHEN 'rubi_risk' THEN 'public.risk_breaches'
    END;
    v_number integer := CASE p_channel
        WHEN 'rubi_signals' THEN 1
        WHEN 'rubi_positions' THEN 2
        WHEN 'rubi_events' THEN 3
        WHEN 'rubi_risk' THEN 4
    END;
    v_writers text[];
BEGIN
    IF v_table IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB057',
            MESSAGE = format('no such channel: %s', coalesce(p_channel, 'NULL')),
            HINT = 'The channels are rubi_signals, rubi_positions, rubi_events and rubi_risk.';
    END IF;
    -- Behind a pool of transactions the next statement has another session, and this one's LISTEN
    -- and lock would stay with strangers. operations/pgbouncer.ini sets rubi.pooled.
    IF current_setting('rubi.pooled', TRUE) = 'on' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB058',
            MESSAGE = 'a connection through a pool of transactions hears no news',
            HINT = 'Connect to the server directly, or through a pool of sessions.';
    END IF;
    PERFORM pg_advisory_lock_shared(c_news, v_number);
    EXECUTE format('LISTEN %I', p_channel);

    v_writers := ARRAY(
        SELECT l.virtualtransaction
        FROM pg_locks AS l
        WHERE l.locktype = 'relation'
            AND l.database = (
                SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()
            )
            AND l.relation = v_table
            AND l.mode = 'RowExclusiveLock'
            AND l.granted
            AND l.pid IS DISTINCT FROM pg_backend_pid()
    );
    WHILE EXISTS (
        SELECT FROM pg_locks AS l
        WHERE l.relation = v_table
            AND l.mode = 'RowExclusiveLock'
            AND l.virtualtransaction = ANY (v_writers)
    ) LOOP
        PERFORM pg_sleep(0.02);
    END LOOP;
END
$$;
COMMENT ON FUNCTION public.subscribe(text) IS
'LISTEN for rubi_signals, rubi_positions, rubi_events or rubi_risk, until the session ends. A
session hears itself only when another one has subscribed too. Waits for transactions that write the
table now. Call this function alone, in autocommit, then read the table once, then wait for
notifications; read only after the call returned. Raises RB057 for another channel, RB058 behind a
pool of transactions that sets rubi.pooled.';
REVOKE ALL ON FUNCTION public.subscribe(text) FROM public;
