-- 2160_position_triggers.sql: the account of a position, and news of positions for clients.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION public.set_position_account()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_account_id bigint;
    v_closed_at timestamptz;
BEGIN
    IF NEW.session_id IS NULL THEN
        RETURN NEW;
    END IF;
    SELECT
        a.id,
        a.closed_at
    INTO v_account_id, v_closed_at
    FROM public.mt5_sessions AS s
    INNER JOIN public.mt5_accounts AS a ON s.account_id = a.id
    WHERE s.session_id = NEW.session_id;
    -- Without an account the row would fail by account_id, a column that its writer never named.
    IF NOT FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'foreign_key_violation',
            MESSAGE = format('there is no session %s', NEW.session_id),
            SCHEMA = 'public',
            TABLE = 'trading_positions',
            CONSTRAINT = 'trading_positions_session_id_fkey';
    ELSIF v_closed_at IS NOT NULL AND NOT has_table_privilege(TG_RELID, 'TRIGGER') THEN
        PERFORM public.check_account_is_open(v_account_id);
    END IF;
    NEW.account_id := v_account_id;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION public.set_position_account() IS
'Trigger: a position belongs to the account of its session. Raises foreign_key_violation without
such a session, RB024 when its user is closed.';
REVOKE ALL ON FUNCTION public.set_position_account() FROM public;

CREATE OR REPLACE FUNCTION public.notify_positions()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c_news CONSTANT integer := 1381319241; -- class of locks, functions/2070_subscribe.sql
    v_free boolean;
    v_message jsonb;
BEGIN
    IF pg_catalog.pg_try_advisory_lock(c_news, 2) THEN
        v_free := pg_catalog.pg_advisory_unlock(c_news, 2);
        RETURN NULL;
    END IF;
    IF NOT public.has_subscribers('rubi_positions') THEN
        RETURN NULL;
    END IF;
    SELECT jsonb_build_object(
        'event', TG_ARGV[0],
        'count', count(*),
        'accounts', to_jsonb((array_agg(DISTINCT r.account_id))[1:50]),
        -- MT5's have at most 20 digits; a message has at most 8,000 bytes, quoted ones are longer
        'tickets', to_jsonb((array_agg(left(r.ticket, 20) ORDER BY r.ticket))[1:50])
    )
    INTO v_message
    FROM changed_rows AS r
    HAVING count(*) > 0;
    IF v_message IS NOT NULL THEN
        PERFORM pg_notify('rubi_positions', v_message::text);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION public.notify_positions() IS
'Trigger: tells the channel rubi_positions of positions opened or closed, once a statement.';
REVOKE ALL ON FUNCTION public.notify_positions() FROM public;

-- Prices change on every tick: this trigger names its columns, so that a tick costs nothing, and is
-- a row trigger, because a transition table would be filled with every tick. The message has the
-- account alone, so that PostgreSQL folds equal notifications of a transaction into one.
CREATE OR REPLACE FUNCTION public.notify_position_change()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c_news CONSTANT integer := 1381319241; -- class of locks, functions/2070_subscribe.sql
    v_free boolean;
BEGIN
    IF pg_catalog.pg_try_advisory_lock(c_news, 2) THEN
        v_free := pg_catalog.pg_advisory_unlock(c_news, 2);
        RETURN NULL;
    END IF;
    IF NOT public.has_subscribers('rubi_positions') THEN
        RETURN NULL;
    END IF;
    PERFORM pg_notify(
        'rubi_positions',
        jsonb_build_object('event', 'changed', 'accounts', jsonb_build_array(NEW.account_id))::text
    );
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION public.notify_position_change() IS
'Trigger: tells the channel rubi_positions of a change in volume, stop or target, once an account
and transaction.';
REVOKE ALL ON FUNCTION public.notify_position_change() FROM public;
