-- 2631_refuse_closed_users.sql: no row is written for a closed user.

CALL deploy.become_owner();

-- Closing is final for the API as well; the owner of a table, who may put triggers on it, may
-- correct. The gateway's functions look themselves, and a closed tenant is no user (app_user_id).
-- Runs as the caller, with each order and signal: without a search_path of its own, which would
-- take half of the call. A type without its schema would be looked for in pg_temp first, and a type
-- of no columns takes any value and is NULL.
CREATE OR REPLACE FUNCTION internal.refuse_closed_user()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
AS $$
DECLARE
    v_closed_at pg_catalog.timestamptz;
BEGIN
    -- the gateway's functions, which look once for all rows, run as the owner
    IF current_user = 'rubi_owner' THEN
        RETURN NEW;
    ELSIF TG_OP = 'INSERT' THEN
        -- KEY SHARE, which the foreign key takes anyway, waits for the end of close_user
        SELECT u.closed_at INTO v_closed_at
        FROM public.users AS u
        WHERE u.id = NEW.user_id
        FOR KEY SHARE;
    ELSE
        SELECT u.closed_at INTO v_closed_at FROM public.users AS u WHERE u.id = OLD.user_id;
        IF v_closed_at IS NULL AND OLD.user_id <> NEW.user_id THEN
            SELECT u.closed_at INTO v_closed_at FROM public.users AS u WHERE u.id = NEW.user_id;
        END IF;
    END IF;
    -- the right last: to look it up costs as much as all else
    IF v_closed_at IS NULL OR pg_catalog.has_table_privilege(TG_RELID, 'TRIGGER') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = 'RB024',
        MESSAGE = 'the user is closed: no row is written for a closed user',
        HINT = 'Stop sending for this user. A person who comes back is a new user.',
        SCHEMA = TG_TABLE_SCHEMA,
        TABLE = TG_TABLE_NAME,
        CONSTRAINT = 'user_is_open';
END
$$;
COMMENT ON FUNCTION internal.refuse_closed_user() IS
'Trigger: raises RB024 when another role than the owner writes a row of a closed user.';
REVOKE ALL ON FUNCTION internal.refuse_closed_user() FROM public;

CREATE OR REPLACE FUNCTION internal.refuse_change_of_closed_user()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF has_table_privilege(TG_RELID, 'TRIGGER') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = 'RB024',
        MESSAGE = format('user %s is closed for good', OLD.id),
        HINT = 'A person who comes back is a new user.',
        SCHEMA = 'public',
        TABLE = 'users',
        CONSTRAINT = 'user_is_open';
END
$$;
COMMENT ON FUNCTION internal.refuse_change_of_closed_user() IS
'Trigger: raises RB024 when another role than the owner changes a closed user.';
REVOKE ALL ON FUNCTION internal.refuse_change_of_closed_user() FROM public;
