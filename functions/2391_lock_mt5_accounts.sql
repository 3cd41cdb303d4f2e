-- 2391_lock_mt5_accounts.sql: one ingest of an account at a time, and none for a closed user.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION internal.refuse_account(p_account_id bigint)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'RB051',
        MESSAGE = format('there is no account %s, or it belongs to another user', p_account_id),
        HINT = 'ingest_mt5_account(user, account) answers the account''s id.';
END
$$;
COMMENT ON FUNCTION internal.refuse_account(bigint) IS
'Raises RB051: there is no such account of this user.';
REVOKE ALL ON FUNCTION internal.refuse_account(bigint) FROM public;

-- Ingest functions of one account wait for each other here, so that pieces which arrive on several
-- connections end the same in any order. NO KEY: foreign keys to the account don't wait.
CREATE OR REPLACE FUNCTION internal.lock_mt5_account(p_account_id bigint)
RETURNS public.mt5_accounts
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_account public.mt5_accounts;
    v_user text := nullif(current_setting('app.user_id', TRUE), '');
BEGIN
    SELECT a.* INTO v_account
    FROM public.mt5_accounts AS a
    WHERE a.id = p_account_id
    FOR NO KEY UPDATE;
    IF NOT FOUND OR v_account.user_id::text <> v_user THEN
        PERFORM internal.refuse_account(p_account_id);
    END IF;
    RETURN v_account;
END
$$;
COMMENT ON FUNCTION internal.lock_mt5_account(bigint) IS
'The account, locked for one ingest at a time. Raises RB051 when the account does not exist, or when
app.user_id is set to another user than its owner.';
REVOKE ALL ON FUNCTION internal.lock_mt5_account(bigint) FROM public;

CREATE OR REPLACE FUNCTION internal.refuse_closed(p_user_id bigint)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'RB024',
        MESSAGE = format('user %s is closed: no row is written for a closed user', p_user_id),
        HINT = 'Stop sending for this user. A person who comes back is a new user.',
        CONSTRAINT = 'user_is_open';
END
$$;
COMMENT ON FUNCTION internal.refuse_closed(bigint) IS 'Raises RB024: the user is closed.';
REVOKE ALL ON FUNCTION internal.refuse_closed(bigint) FROM public;

CREATE OR REPLACE FUNCTION internal.lock_open_mt5_account(p_account_id bigint)
RETURNS public.mt5_accounts
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_account public.mt5_accounts := internal.lock_mt5_account(p_account_id);
BEGIN
    IF v_account.closed_at IS NOT NULL THEN
        PERFORM internal.refuse_closed(v_account.user_id);
    END IF;
    RETURN v_account;
END
$$;
COMMENT ON FUNCTION internal.lock_open_mt5_account(bigint) IS
'The account, locked for one ingest at a time. Raises RB051 as internal.lock_mt5_account does, RB024
when its owner is closed.';
REVOKE ALL ON FUNCTION internal.lock_open_mt5_account(bigint) FROM public;

-- For row security of the API's own writes, which the ingest functions do not meet.
CREATE OR REPLACE FUNCTION public.check_account_is_open(p_account_id bigint)
RETURNS boolean
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
SECURITY DEFINER -- internal.refuse_closed is the owner's alone
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user_id bigint;
BEGIN
    SELECT a.user_id INTO v_user_id
    FROM public.mt5_accounts AS a
    WHERE a.id = p_account_id AND a.closed_at IS NOT NULL;
    IF FOUND THEN
        PERFORM internal.refuse_closed(v_user_id);
    END IF;
    RETURN TRUE;
END
$$;
COMMENT ON FUNCTION public.check_account_is_open(bigint) IS
'TRUE; raises RB024 for an account whose owner is closed.';
REVOKE ALL ON FUNCTION public.check_account_is_open(bigint) FROM public;

-- For rows that are written past the ingest functions: these lock the account and then the rows, so
-- a row that came first, and its account after, deadlocked with them. An UPDATE or DELETE has its
-- row before any trigger fires: against an ingest of the same row one of both gets 40P01, and is to
-- be repeated.
CREATE OR REPLACE FUNCTION internal.lock_account_of_row()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- a tenant may not lock accounts
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM FROM public.mt5_accounts AS a WHERE a.id = new.account_id FOR NO KEY UPDATE;
    RETURN new;
END
$$;
COMMENT ON FUNCTION internal.lock_account_of_row() IS
'Trigger: locks the account before a row of it is written.';
REVOKE ALL ON FUNCTION internal.lock_account_of_row() FROM public;
