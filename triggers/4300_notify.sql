-- 4300_notify.sql: clients hear of new signals and of positions opened, closed or changed.
-- needs: schema/0140_trading_signals.sql, schema/0160_trading_positions.sql,
--        functions/2310_subscribe.sql
-- transaction: yes

CALL deploy.become_owner();

-- One notification a statement, with at most 50 names so that it stays far below PostgreSQL's 8000
-- bytes; count tells whether there are more. Nothing private: who listens reads the rows under its
-- own rights. None at all while nobody has subscribed (functions/2310_subscribe.sql says why). As
-- set_updated_at(), without a search_path of its own.
CREATE OR REPLACE FUNCTION public.notify_signals()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
AS $$
DECLARE
    v_free boolean;
    v_message jsonb;
BEGIN
    IF pg_catalog.pg_try_advisory_lock(1381319241, 1) THEN
        v_free := pg_catalog.pg_advisory_unlock(1381319241, 1);
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
        PERFORM pg_catalog.pg_notify('rubi_signals', v_message::text);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION public.notify_signals() IS
'Trigger: tells the channel rubi_signals of new signals, once a statement.';
REVOKE ALL ON FUNCTION public.notify_signals() FROM public;

CREATE OR REPLACE TRIGGER trading_signals_80_notify
AFTER INSERT ON public.trading_signals
REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION public.notify_signals();

CREATE OR REPLACE FUNCTION public.notify_positions()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_free boolean;
    v_message jsonb;
BEGIN
    IF pg_catalog.pg_try_advisory_lock(1381319241, 2) THEN
        v_free := pg_catalog.pg_advisory_unlock(1381319241, 2);
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

CREATE OR REPLACE TRIGGER trading_positions_80_notify_opened
AFTER INSERT ON public.trading_positions
REFERENCING NEW TABLE AS changed_rows
FOR EACH STATEMENT EXECUTE FUNCTION public.notify_positions('opened');

CREATE OR REPLACE TRIGGER trading_positions_81_notify_closed
AFTER DELETE ON public.trading_positions
REFERENCING OLD TABLE AS changed_rows
FOR EACH STATEMENT EXECUTE FUNCTION public.notify_positions('closed');

-- Prices change on every tick: this one names its columns, so that a tick costs nothing, and is a
-- row trigger, because a transition table would be filled with every tick. It names the account
-- alone, so that PostgreSQL folds equal notifications of a transaction into one.
CREATE OR REPLACE FUNCTION public.notify_position_change()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_free boolean;
BEGIN
    IF pg_catalog.pg_try_advisory_lock(1381319241, 2) THEN
        v_free := pg_catalog.pg_advisory_unlock(1381319241, 2);
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

CREATE OR REPLACE TRIGGER trading_positions_82_notify_changed
AFTER UPDATE OF volume, sl, tp ON public.trading_positions
FOR EACH ROW
WHEN (
    OLD.volume <> NEW.volume
    OR OLD.sl IS DISTINCT FROM NEW.sl
    OR OLD.tp IS DISTINCT FROM NEW.tp
)
EXECUTE FUNCTION public.notify_position_change();
