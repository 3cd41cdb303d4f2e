-- 2181_queue_signals.sql: new signals and named accounts go into the queue.

CALL deploy.become_owner();

-- By row: signals come one by one, and for one a statement over new rows takes half as long again.
CREATE OR REPLACE FUNCTION internal.queue_signal()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the queue is the owner's
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.status = 'PENDING' THEN
        INSERT INTO internal.signal_queue (lane, ready_at, signal_id, attempt)
        VALUES (-NEW.user_id, clock_timestamp(), NEW.id, 1);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.queue_signal() IS
'Trigger: a pending signal can be claimed from now on.';
REVOKE ALL ON FUNCTION internal.queue_signal() FROM public;

-- A mark may have passed the signal when its time was over. While a worker holds the signal, the
-- next chance comes with the end of the lease: an earlier one would stand in the way of others.
CREATE OR REPLACE FUNCTION internal.queue_signal_again()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the queue is the owner's
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO internal.signal_queue (lane, ready_at, signal_id, attempt)
    SELECT
        l.lane,
        greatest(clock_timestamp(), max(c.lease_until) FILTER (WHERE c.outcome IS NULL)),
        NEW.id,
        coalesce(max(c.attempt), 0) + 1
    FROM (
        SELECT -NEW.user_id
        UNION ALL
        SELECT i.account_id FROM public.signal_intents AS i WHERE i.signal_id = NEW.id
    ) AS l (lane)
    LEFT JOIN public.signal_claims AS c ON c.signal_id = NEW.id AND l.lane = c.lane
    GROUP BY l.lane
    HAVING coalesce(bool_and(c.outcome IN ('RELEASED', 'LAPSED')), TRUE);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.queue_signal_again() IS
'Trigger: a pending signal that is valid for longer can be claimed again.';
REVOKE ALL ON FUNCTION internal.queue_signal_again() FROM public;

-- The lock waits for a worker that is taking the signal, so that the next one sees the intent. Runs
-- as the caller: for a tenant another user's signal is not there.
CREATE OR REPLACE FUNCTION internal.check_intent()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user_id bigint;
    v_status public.signal_status_enum;
    v_constraint text;
BEGIN
    SELECT s.user_id, s.status INTO v_user_id, v_status
    FROM public.trading_signals AS s
    WHERE s.id = NEW.signal_id
    FOR NO KEY UPDATE;
    IF NOT FOUND OR NEW.user_id <> v_user_id THEN
        v_constraint := 'signal_intents_signal_id_user_id_fkey';
    ELSIF NOT EXISTS (
        SELECT FROM public.mt5_accounts AS a
        WHERE a.id = NEW.account_id AND a.user_id = v_user_id
    ) THEN
        v_constraint := 'signal_intents_account_id_user_id_fkey';
    END IF;
    IF v_constraint IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'foreign_key_violation',
            MESSAGE = format('no row of this user for %s', v_constraint),
            SCHEMA = 'public',
            TABLE = 'signal_intents',
            CONSTRAINT = v_constraint;
    ELSIF v_status <> 'PENDING' OR EXISTS (
        SELECT FROM public.signal_claims AS c
        WHERE c.signal_id = NEW.signal_id AND c.lane = -v_user_id
    ) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB036',
            MESSAGE = format(
                'signal %s is decided or was claimed: no account can be named for it',
                NEW.signal_id
            ),
            HINT = 'Name the accounts in the transaction that stores the signal.',
            SCHEMA = 'public',
            TABLE = 'signal_intents',
            CONSTRAINT = 'signal_intents_before_claims';
    END IF;
    NEW.user_id := v_user_id;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION internal.check_intent() IS
'Trigger: an intent takes the signal''s user; raises foreign_key_violation where signal and account
are not of one user, RB036 when the signal is decided or any account has claimed it.';
REVOKE ALL ON FUNCTION internal.check_intent() FROM public;

CREATE OR REPLACE FUNCTION internal.queue_intents()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the queue is the owner's
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO internal.signal_queue (lane, ready_at, signal_id, attempt)
    SELECT n.account_id, clock_timestamp(), n.signal_id, 1
    FROM new_rows AS n
    ORDER BY n.signal_id, n.account_id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.queue_intents() IS
'Trigger: the named account can claim the signal from now on.';
REVOKE ALL ON FUNCTION internal.queue_intents() FROM public;
