-- 4020_account_of_row.sql: sessions and positions get their trading account.
-- needs: schema/0120_mt5_accounts.sql, schema/0130_mt5_sessions.sql,
--        schema/0160_trading_positions.sql
-- transaction: yes

CALL deploy.become_owner();

-- The API names broker, server and login, as it always did. Runs as the caller: who may write
-- sessions may write accounts.
CREATE OR REPLACE FUNCTION public.set_session_account()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_server text := coalesce(nullif(btrim(NEW.server), ''), NEW.broker);
BEGIN
    -- twice: the account may be committed by another session between SELECT and INSERT
    FOR v_attempt IN 1..2 LOOP
        SELECT a.id INTO NEW.account_id
        FROM public.mt5_accounts AS a
        WHERE a.user_id = NEW.user_id
            AND a.server = v_server
            AND a.account_number = NEW.account_number;
        EXIT WHEN FOUND;

        INSERT INTO public.mt5_accounts (user_id, server, account_number, broker, currency)
        VALUES (NEW.user_id, v_server, NEW.account_number, NEW.broker, NEW.currency)
        ON CONFLICT ON CONSTRAINT mt5_accounts_user_id_server_account_number_key DO NOTHING
        RETURNING id INTO NEW.account_id;
        EXIT WHEN FOUND;
    END LOOP;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION public.set_session_account() IS
'Trigger: finds or makes the account of user, server (broker where it is missing) and login.';
REVOKE ALL ON FUNCTION public.set_session_account() FROM public;

CREATE OR REPLACE TRIGGER mt5_sessions_10_account
BEFORE INSERT OR UPDATE OF user_id, server, broker, account_number ON public.mt5_sessions
FOR EACH ROW EXECUTE FUNCTION public.set_session_account();

CREATE OR REPLACE FUNCTION public.set_position_account()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- a session that does not exist leaves the account as it is; its foreign key says so
    SELECT s.account_id INTO NEW.account_id
    FROM public.mt5_sessions AS s
    WHERE s.session_id = NEW.session_id;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION public.set_position_account() IS
'Trigger: a position belongs to the account of its session.';
REVOKE ALL ON FUNCTION public.set_position_account() FROM public;

CREATE OR REPLACE TRIGGER trading_positions_10_account
BEFORE INSERT OR UPDATE OF session_id, account_id ON public.trading_positions
FOR EACH ROW EXECUTE FUNCTION public.set_position_account();
