-- 2140_signal_triggers.sql: the rules of signals, and news of them for clients.

CALL deploy.become_owner();

-- As CHECKs and a trigger with WHEN these rules took 40 microseconds of each insert, because
-- PostgreSQL parses their text for each statement; as one function 8 (benchmarks/rules.py).
-- Without a search_path of its own, which would take half of their time: the functions called are
-- named with their schema.
CREATE OR REPLACE FUNCTION public.check_signal()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
AS $$
DECLARE
    v_broken pg_catalog.text;
BEGIN
    IF OLD.status <> 'PENDING' AND NEW.status <> OLD.status THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB010',
            MESSAGE = pg_catalog.format('signal %s is %s and stays so', OLD.id, OLD.status),
            HINT = 'Only a PENDING signal can become EXECUTED, REJECTED or EXPIRED.',
            SCHEMA = 'public',
            TABLE = 'trading_signals',
            CONSTRAINT = 'trading_signals_status_from_pending';
    END IF;

    -- Only a signal to open has a side; stops of open positions trail into profit and are free.
    IF NEW.signal_type = 'BUY' THEN
        IF NEW.stop_loss >= NEW.entry_price THEN
            v_broken := 'trading_signals_stop_loss_side_check';
        ELSIF NEW.take_profit <= NEW.entry_price THEN
            v_broken := 'trading_signals_take_profit_side_check';
        END IF;
    ELSIF NEW.signal_type = 'SELL' THEN
        IF NEW.stop_loss <= NEW.entry_price THEN
            v_broken := 'trading_signals_stop_loss_side_check';
        ELSIF NEW.take_profit >= NEW.entry_price THEN
            v_broken := 'trading_signals_take_profit_side_check';
        END IF;
    END IF;
    IF NEW.status = 'EXECUTED' THEN
        IF NEW.executed_at IS NULL THEN
            NEW.executed_at := pg_catalog.now();
        END IF;
    ELSIF NEW.executed_at IS NOT NULL THEN
        v_broken := 'trading_signals_executed_at_with_executed_check';
    END IF;
    IF v_broken IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'check_violation',
            MESSAGE = pg_catalog.format(
                'new row for relation "trading_signals" violates check constraint "%s"', v_broken
            ),
            SCHEMA = 'public',
            TABLE = 'trading_signals',
            CONSTRAINT = v_broken;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION public.check_signal() IS
'Trigger: stop loss and take profit of BUY and SELL stand on their sides of the entry price, and
executed_at is there exactly with EXECUTED, the transaction''s time when not given. Raises
check_violation (23514) with the name of the rule, RB010 when a decided signal would change its
status.';
REVOKE ALL ON FUNCTION public.check_signal() FROM public;

-- One notification a statement, with at most 50 names so that it stays far below PostgreSQL's 8000
-- bytes; count tells whether there are more. The message is not private: a listener reads the rows
-- under its own rights. Without a subscriber no notification is sent (functions/2070_subscribe.sql
-- has the reason). As set_updated_at(), without a search_path of its own.
CREATE OR REPLACE FUNCTION public.notify_signals()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
AS $$
DECLARE
    c_news CONSTANT integer := 1381319241; -- class of locks, functions/2070_subscribe.sql
    v_free boolean;
    v_message pg_catalog.jsonb;
BEGIN
    IF pg_catalog.pg_try_advisory_lock(c_news, 1) THEN
        v_free := pg_catalog.pg_advisory_unlock(c_news, 1);
        RETURN NULL;
    END IF;
    IF NOT public.has_subscribers('rubi_signals') THEN
        RETURN NULL;
    END IF;
    SELECT pg_catalog.jsonb_build_object(
        'event', 'new',
        'count', pg_catalog.count(*),
        'users', pg_catalog.to_jsonb((pg_catalog.array_agg(DISTINCT n.user_id))[1:50]),
        'signals', pg_catalog.to_jsonb((pg_catalog.array_agg(n.id ORDER BY n.id))[1:50])
    )
    INTO v_message
    FROM new_rows AS n
    HAVING pg_catalog.count(*) > 0;
    IF v_message IS NOT NULL THEN
        PERFORM pg_catalog.pg_notify('rubi_signals', v_message::pg_catalog.text);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION public.notify_signals() IS
'Trigger: tells the channel rubi_signals of new signals, once a statement.';
REVOKE ALL ON FUNCTION public.notify_signals() FROM public;
