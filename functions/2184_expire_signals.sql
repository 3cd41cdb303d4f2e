-- 2184_expire_signals.sql: signals whose time is over end, and the queue is kept short.

CALL deploy.become_owner();

-- A signal that a worker holds or has sent is not over: the worker's word decides it.
CREATE OR REPLACE FUNCTION internal.expire_signal_batch(
    INOUT p_valid_until timestamptz,
    INOUT p_signal_id bigint,
    OUT expired integer,
    OUT is_last boolean
)
RETURNS record
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c_batch CONSTANT integer := 500;
    v_now timestamptz := clock_timestamp();
    v_signals bigint[];
    v_valid_until timestamptz[];
BEGIN
    SELECT array_agg(t.id), array_agg(t.valid_until) INTO v_signals, v_valid_until
    FROM (
        SELECT s.id, s.valid_until
        FROM public.trading_signals AS s
        WHERE s.status = 'PENDING'
            AND s.valid_until IS NOT NULL
            AND s.valid_until <= v_now
            AND (s.valid_until, s.id) > (p_valid_until, p_signal_id)
        ORDER BY s.valid_until, s.id
        LIMIT c_batch
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS t;
    is_last := coalesce(cardinality(v_signals), 0) < c_batch;
    expired := 0;
    IF v_signals IS NULL THEN
        RETURN;
    END IF;
    p_signal_id := v_signals[cardinality(v_signals)];
    p_valid_until := v_valid_until[cardinality(v_signals)];
    -- a statement of its own sees the claims that were made before the locks were had
    v_signals := ARRAY(
        SELECT u.id
        FROM unnest(v_signals) AS u (id)
        WHERE NOT EXISTS (
            SELECT FROM public.signal_claims AS c
            WHERE c.signal_id = u.id
                AND c.outcome IS NULL
                AND (c.sent_at IS NOT NULL OR c.lease_until > v_now)
        )
    );
    UPDATE public.signal_claims AS c
    SET outcome = 'LAPSED', ended_at = v_now
    WHERE c.signal_id = ANY (v_signals) AND c.outcome IS NULL AND c.sent_at IS NULL;
    -- a claim that is still open was being marked as sent when its lease ended
    SELECT count(internal.decide_signal(u.id, TRUE)) INTO expired
    FROM unnest(v_signals) AS u (id)
    WHERE NOT EXISTS (
        SELECT FROM public.signal_claims AS c WHERE c.signal_id = u.id AND c.outcome IS NULL
    );
END
$$;
COMMENT ON FUNCTION internal.expire_signal_batch(timestamptz, bigint) IS
'Ends at most 500 signals whose time is over, those after the given one; answers the last it looked
at, how many it ended, and whether none is left.';
REVOKE ALL ON FUNCTION internal.expire_signal_batch(timestamptz, bigint) FROM public;

-- Entries between the oldest mark and one 50 marks later: those that are done with go, and so do
-- the marks before the later one. The next call begins there and does not meet them again, dead or
-- not. An entry that is done with stays so: nothing is lost, whatever a mark says.
CREATE OR REPLACE FUNCTION internal.prune_signal_lane(p_lane bigint)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
-- as for claim_signals
SET enable_seqscan = off
SET jit = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    c_marks CONSTANT integer := 50;
    v_newest internal.signal_marks;
    v_oldest internal.signal_marks;
    v_target internal.signal_marks;
BEGIN
    -- marks of a server whose dump was restored here
    DELETE FROM internal.signal_marks AS m
    WHERE m.lane = p_lane
        AND m.server <> (SELECT s.system_identifier FROM pg_control_system() AS s);
    v_newest := internal.find_signal_mark(p_lane);
    PERFORM internal.move_signal_mark(p_lane, v_newest, clock_timestamp(), 500);
    SELECT m.* INTO v_oldest
    FROM internal.signal_marks AS m
    WHERE m.lane = p_lane
    ORDER BY m.id
    LIMIT 1;
    SELECT t.* INTO v_target
    FROM (
        SELECT m.*
        FROM internal.signal_marks AS m
        WHERE m.lane = p_lane
        ORDER BY m.id
        LIMIT c_marks
    ) AS t
    ORDER BY t.id DESC
    LIMIT 1;
    IF v_target.id IS NOT DISTINCT FROM v_oldest.id THEN
        RETURN TRUE;
    END IF;
    DELETE FROM internal.signal_queue AS q
    USING internal.waiting_entries(p_lane, v_oldest, v_target.ready_at, NULL) AS w
    WHERE q.lane = p_lane AND q.ready_at = w.ready_at AND q.id = w.id AND NOT w.is_open;
    DELETE FROM internal.signal_marks AS m WHERE m.lane = p_lane AND m.id < v_target.id;
    RETURN FALSE;
END
$$;
COMMENT ON FUNCTION internal.prune_signal_lane(bigint) IS
'Takes entries and marks that are done with out of a lane, a part at each call; TRUE when none is
left.';
REVOKE ALL ON FUNCTION internal.prune_signal_lane(bigint) FROM public;

CREATE OR REPLACE FUNCTION internal.list_signal_lanes()
RETURNS SETOF bigint
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT l.lane
    FROM (
        SELECT a.id FROM public.mt5_accounts AS a
        UNION ALL
        SELECT -u.id FROM public.users AS u
    ) AS l (lane)
    WHERE (
        SELECT TRUE
        FROM internal.signal_marks AS m
        WHERE m.lane = l.lane
        ORDER BY m.id DESC
        LIMIT 1
    ) OR (
        SELECT TRUE
        FROM internal.signal_queue AS q
        WHERE q.lane = l.lane
        ORDER BY q.ready_at
        LIMIT 1
    )
$$;
COMMENT ON FUNCTION internal.list_signal_lanes() IS
'Lanes that have entries or marks.';
REVOKE ALL ON FUNCTION internal.list_signal_lanes() FROM public;

-- The path is set in the body, again after each COMMIT, because a procedure with a SET clause may
-- not COMMIT.
CREATE OR REPLACE PROCEDURE public.expire_signals()
LANGUAGE plpgsql
AS $$
DECLARE
    c_rounds CONSTANT integer := 1000;
    v_batch record;
    v_valid_until timestamptz := '-infinity';
    v_signal_id bigint := 0;
    v_lane bigint;
BEGIN
    LOOP
        SET LOCAL search_path = pg_catalog, pg_temp;
        SELECT b.* INTO v_batch FROM internal.expire_signal_batch(v_valid_until, v_signal_id) AS b;
        COMMIT;
        EXIT WHEN v_batch.is_last;
        v_valid_until := v_batch.p_valid_until;
        v_signal_id := v_batch.p_signal_id;
    END LOOP;
    SET LOCAL search_path = pg_catalog, pg_temp;
    FOREACH v_lane IN ARRAY ARRAY(SELECT internal.list_signal_lanes()) LOOP
        FOR v_round IN 1..c_rounds LOOP
            SET LOCAL search_path = pg_catalog, pg_temp;
            EXIT WHEN internal.prune_signal_lane(v_lane);
            COMMIT;
        END LOOP;
        COMMIT;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE public.expire_signals () IS
'Makes pending signals EXPIRED whose valid_until is over and which no worker holds or has sent, and
keeps the queue of claims short. Commits after each batch, so call it outside a transaction, as the
owner, each minute.';
REVOKE ALL ON PROCEDURE public.expire_signals() FROM public;
