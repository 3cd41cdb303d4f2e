-- 2182_claim_signals.sql: workers take signals to carry out, each for one worker at a time.

CALL deploy.become_owner();

-- Not internal.lock_open_mt5_account: a worker does not wait for the ingest of a year's history.
-- KEY SHARE waits for the end of close_user.
CREATE OR REPLACE FUNCTION internal.find_open_mt5_account(p_account_id bigint)
RETURNS public.mt5_accounts
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_account public.mt5_accounts;
    v_user text := nullif(current_setting('app.user_id', TRUE), '');
    v_closed_at timestamptz;
BEGIN
    SELECT a.* INTO v_account FROM public.mt5_accounts AS a WHERE a.id = p_account_id;
    IF NOT FOUND OR v_account.user_id::text <> v_user THEN
        PERFORM internal.refuse_account(p_account_id);
    END IF;
    SELECT u.closed_at INTO v_closed_at
    FROM public.users AS u
    WHERE u.id = v_account.user_id
    FOR KEY SHARE;
    IF v_closed_at IS NOT NULL OR v_account.closed_at IS NOT NULL THEN
        PERFORM internal.refuse_closed(v_account.user_id);
    END IF;
    RETURN v_account;
END
$$;
COMMENT ON FUNCTION internal.find_open_mt5_account(bigint) IS
'The account, without waiting for an ingest. Raises RB051 when it does not exist, or when
app.user_id is set and is not its owner, RB024 when its owner is closed.';
REVOKE ALL ON FUNCTION internal.find_open_mt5_account(bigint) FROM public;

-- A worker goes over the entries that others are taking right now: fifty workers went over 2,500
-- for fifty claims, 1.5 ms of processor time a claim. So the n-th worker at work takes every n-th
-- entry, at another place each time, and all entries when these are too few. The first takes the
-- oldest, so that none is left behind.
CREATE OR REPLACE FUNCTION internal.count_claimers(p_lane bigint)
RETURNS integer
LANGUAGE plpgsql -- its plan is kept
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (
        SELECT n.number
        FROM (
            -- few tries: each goes through a table of locks that all sessions share
            SELECT (2 ^ l.level + floor(random() * 2 ^ l.level))::integer AS number
            FROM generate_series(0, 7) AS l (level)
        ) AS n
        WHERE n.number >= 128
            OR pg_try_advisory_xact_lock(hashint8extended(p_lane, n.number + 18200))
        LIMIT 1
    );
END
$$;
COMMENT ON FUNCTION internal.count_claimers(bigint) IS
'About the number of transactions that claim from a lane now, 1 for the only one: a number that no
other has, by an advisory lock of the transaction; from 128 on without.';
REVOKE ALL ON FUNCTION internal.count_claimers(bigint) FROM public;

-- Look-ups by key: a join that was planned while the table is empty reads all claims later.
CREATE OR REPLACE FUNCTION internal.lapse_claims(
    p_lane bigint,
    p_signals bigint[],
    p_attempts integer[],
    p_now timestamptz
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE public.signal_claims AS c
    SET outcome = 'LAPSED', ended_at = p_now
    WHERE c.id = ANY (ARRAY(
        SELECT (
            SELECT p.id
            FROM public.signal_claims AS p
            WHERE p.signal_id = t.signal_id AND p.lane = p_lane AND p.attempt = t.attempt - 1
        )
        FROM unnest(p_signals, p_attempts) AS t (signal_id, attempt)
        WHERE t.attempt > 1
    ))
    AND coalesce(c.outcome, '') = ''
    AND c.sent_at IS NULL
    AND c.lease_until <= p_now;
END
$$;
COMMENT ON FUNCTION internal.lapse_claims(bigint, bigint[], integer[], timestamptz) IS
'Ends the claims before these attempts whose lease is over and that were not sent.';
REVOKE ALL ON FUNCTION internal.lapse_claims(bigint, bigint[], integer[], timestamptz) FROM public;

CREATE OR REPLACE FUNCTION internal.claim_lane(
    p_account_id bigint,
    p_lane bigint,
    p_worker text,
    p_limit integer,
    p_lease interval,
    p_allowed bigint[]
)
RETURNS bigint[]
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c_few CONSTANT integer := 7; -- so many share to the last entry, more leave some to the others
    v_now timestamptz := clock_timestamp();
    v_mark internal.signal_marks := internal.find_signal_mark(p_lane);
    v_claimers integer := internal.count_claimers(p_lane);
    v_every integer := v_claimers;
    v_place integer := floor(random() * v_every);
    v_signals bigint[];
    v_attempts integer[];
    v_new bigint[];
    v_claims bigint[] := '{}';
BEGIN
    -- A signal that others took after this statement began to read is no longer locked, and the
    -- unique key refuses it: then there may be more.
    FOR v_round IN 1..10 LOOP
        SELECT array_agg(t.signal_id), array_agg(t.attempt) INTO v_signals, v_attempts
        FROM (
            SELECT l.signal_id, l.attempt
            FROM internal.waiting_entries(p_lane, v_mark, v_now, NULL) AS w
            CROSS JOIN LATERAL (
                SELECT q.signal_id, q.attempt
                FROM internal.signal_queue AS q
                INNER JOIN public.trading_signals AS s ON q.signal_id = s.id
                WHERE q.lane = p_lane
                    AND q.ready_at = w.ready_at
                    AND q.id = w.id
                    AND s.status::text = 'PENDING' -- by id, not by an index of pending ones
                    AND (
                        p_allowed IS NULL OR coalesce(s.strategy_id, 0) = ANY (p_allowed)
                        OR s.signal_type IN ('CLOSE_BUY', 'CLOSE_SELL')
                    )
                FOR UPDATE OF q SKIP LOCKED
                FOR SHARE OF s SKIP LOCKED
            ) AS l
            -- a try for a lock that is had costs more than all else of a claim
            WHERE NOT w.locker = ANY (ARRAY(
                SELECT xid(x.running) FROM pg_snapshot_xip(pg_current_snapshot()) AS x (running)
            ))
            AND w.id % v_every = v_place % v_every
            AND w.is_open
            LIMIT p_limit - cardinality(v_claims)
        ) AS t;
        EXIT WHEN v_signals IS NULL AND v_every = 1;
        -- Statements of their own: they see what was committed before the locks were had.
        IF 1 < ANY (v_attempts) THEN
            PERFORM internal.lapse_claims(p_lane, v_signals, v_attempts, v_now);
        END IF;
        WITH made AS (
            INSERT INTO public.signal_claims (
                signal_id, account_id, lane, claimed_at, lease_until, attempt, worker
            )
            SELECT
                t.signal_id, p_account_id, p_lane, v_now,
                least(v_now + p_lease, s.valid_until), t.attempt, p_worker
            FROM unnest(v_signals, v_attempts) WITH ORDINALITY AS t (signal_id, attempt, place)
            CROSS JOIN LATERAL (
                SELECT x.valid_until
                FROM public.trading_signals AS x
                WHERE x.id = t.signal_id
                OFFSET 0
            ) AS s
            -- its time may have been cut short between the look and the lock
            WHERE coalesce(s.valid_until > v_now, TRUE)
            AND (
                t.attempt = 1
                OR (
                    SELECT c.outcome
                    FROM public.signal_claims AS c
                    WHERE c.signal_id = t.signal_id
                        AND c.lane = p_lane
                        AND c.attempt = t.attempt - 1
                ) IN ('RELEASED', 'LAPSED')
            )
            AND (p_lane > 0 OR (
                SELECT TRUE FROM public.signal_intents AS i WHERE i.signal_id = t.signal_id LIMIT 1
            ) IS NULL)
            ORDER BY t.place
            ON CONFLICT ON CONSTRAINT signal_claims_signal_id_lane_attempt_key DO NOTHING
            RETURNING id, signal_id, attempt, lease_until
        ),

        chances AS (
            INSERT INTO internal.signal_queue (lane, ready_at, signal_id, attempt)
            SELECT p_lane, m.lease_until, m.signal_id, m.attempt + 1
            FROM made AS m
        )

        SELECT array_agg(m.id) INTO v_new FROM made AS m;
        v_claims := v_claims || v_new;
        EXIT WHEN cardinality(v_claims) = p_limit
            OR (v_new IS NOT NULL AND (v_every = 1 OR v_claimers > c_few));
        v_every := 1;
    END LOOP;
    -- one of those at work moves on over what all of them took; seldom one that found nothing
    IF random() * v_claimers < (CASE WHEN v_claims = '{}' THEN 0.02 ELSE 1 END) THEN
        PERFORM internal.renew_signal_mark(p_lane, v_now, 500 + 2 * v_claimers * p_limit);
    END IF;
    RETURN v_claims;
END
$$;
COMMENT ON FUNCTION
internal.claim_lane(bigint, bigint, text, integer, interval, bigint[]) IS
'Claims at most p_limit signals that wait in a lane; answers the claims'' ids. Of signals to open
only those of the strategies p_allowed (0: of none), where given.';
REVOKE ALL ON FUNCTION
internal.claim_lane(bigint, bigint, text, integer, interval, bigint[]) FROM public;

-- may_trade is made later; pg_dump does the same.
SET check_function_bodies = off;

CREATE OR REPLACE FUNCTION internal.allowed_strategies(p_account public.mt5_accounts)
RETURNS bigint[]
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(array_agg(s.id), '{}')
    FROM (
        SELECT 0 AS id
        UNION ALL
        SELECT t.id
        FROM public.trading_strategies AS t
        WHERE t.user_id = (p_account).user_id
            AND NOT EXISTS (SELECT FROM public.list_strategy_reasons(t.id))
    ) AS s
    -- what forbids the account forbids each of its strategies
    WHERE (SELECT m.allowed FROM public.may_trade((p_account).id) AS m)
$$;
COMMENT ON FUNCTION internal.allowed_strategies(public.mt5_accounts) IS
'Strategies of the account''s user that may open a position in it now; 0 for no strategy.';
REVOKE ALL ON FUNCTION internal.allowed_strategies(public.mt5_accounts) FROM public;

CREATE OR REPLACE FUNCTION public.claim_signals(
    p_account_id bigint,
    p_worker text,
    p_limit integer DEFAULT 1,
    p_lease interval DEFAULT '30 seconds'
)
RETURNS TABLE (
    claim_id bigint,
    signal_id bigint,
    attempt integer,
    claimed_at timestamptz,
    lease_until timestamptz,
    valid_until timestamptz,
    user_id bigint,
    strategy_id bigint,
    symbol text,
    signal_type public.signal_type_enum,
    volume numeric,
    entry_price numeric,
    stop_loss numeric,
    take_profit numeric,
    timeframe text,
    confidence numeric,
    indicators jsonb,
    signal_time timestamptz,
    received_at timestamptz
)
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the worker's role has no rights on tables
SET search_path = pg_catalog, pg_temp
-- planned while the tables are small, these would go over all rows later; a plan for each call
-- costs more than the call
SET enable_seqscan = off
SET jit = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_account public.mt5_accounts;
    v_claims bigint[];
    v_allowed bigint[];
BEGIN
    IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 1000
        OR p_lease IS NULL OR p_lease NOT BETWEEN interval '1 second' AND interval '1 day' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB035',
            MESSAGE = 'a call claims 1 to 1000 signals for 1 second to 1 day',
            HINT = 'Give p_limit and p_lease in this range.';
    END IF;
    v_account := internal.find_open_mt5_account(p_account_id);
    IF v_account.obeys_rules THEN
        v_allowed := internal.allowed_strategies(v_account);
    END IF;
    v_claims := internal.claim_lane(
        p_account_id, p_account_id, p_worker, p_limit, p_lease, v_allowed
    );
    IF cardinality(v_claims) < p_limit THEN
        v_claims := v_claims || internal.claim_lane(
            p_account_id, -v_account.user_id, p_worker, p_limit - cardinality(v_claims), p_lease,
            v_allowed
        );
    END IF;
    RETURN QUERY
    SELECT
        c.id, s.id, c.attempt, c.claimed_at::timestamptz, c.lease_until::timestamptz,
        s.valid_until::timestamptz, s.user_id, s.strategy_id, s.symbol::text, s.signal_type,
        s.volume::numeric, s.entry_price::numeric, s.stop_loss::numeric, s.take_profit::numeric,
        s.timeframe::text, s.confidence::numeric, s.indicators::jsonb,
        s.signal_time::timestamptz, s.received_at::timestamptz
    FROM public.signal_claims AS c
    INNER JOIN public.trading_signals AS s ON c.signal_id = s.id
    WHERE c.id = ANY (v_claims)
    ORDER BY c.lane < 0, s.received_at, s.id; -- many workers take them in another order
END
$$;
COMMENT ON FUNCTION public.claim_signals(bigint, text, integer, interval) IS
'Takes at most p_limit pending signals for an account: those that name the account, then those of
its user that name none, each the oldest first. No other worker gets them until p_lease is over; a
signal whose claim ended unsent comes again. Skips what others are taking. For an account that
obeys_rules also what may_trade forbids to open now; what is claimed and not yet open counts for no
rule. Raises RB024, RB035 and RB051.';
REVOKE ALL ON FUNCTION public.claim_signals(bigint, text, integer, interval) FROM public;
