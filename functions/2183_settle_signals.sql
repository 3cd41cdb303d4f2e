-- 2183_settle_signals.sql: what becomes of a claim, and by that of its signal.

CALL deploy.become_owner();

-- Locks go from the signal to its claims, here, in claim_signals and in expire_signals.
CREATE OR REPLACE FUNCTION internal.lock_claim(p_claim_id bigint, p_with_signal boolean)
RETURNS public.signal_claims
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_claim public.signal_claims;
    v_user text := nullif(current_setting('app.user_id', TRUE), '');
BEGIN
    SELECT c.* INTO v_claim
    FROM public.signal_claims AS c
    INNER JOIN public.mt5_accounts AS a ON c.account_id = a.id
    WHERE c.id = p_claim_id AND (v_user IS NULL OR a.user_id::text = v_user);
    IF FOUND THEN
        PERFORM internal.find_open_mt5_account(v_claim.account_id);
        IF p_with_signal THEN
            PERFORM FROM public.trading_signals AS s
            WHERE s.id = v_claim.signal_id
            FOR NO KEY UPDATE;
        END IF;
        SELECT c.* INTO v_claim
        FROM public.signal_claims AS c
        WHERE c.id = p_claim_id
        FOR NO KEY UPDATE;
    END IF;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB030',
            MESSAGE = format('there is no claim %s, or it belongs to another user', p_claim_id),
            HINT = 'claim_signals answers the claims'' ids.';
    END IF;
    RETURN v_claim;
END
$$;
COMMENT ON FUNCTION internal.lock_claim(bigint, boolean) IS
'The claim, locked, after its signal where asked for. Raises RB030 when it does not exist, or when
app.user_id is set and is not its owner, RB024 when the owner is closed.';
REVOKE ALL ON FUNCTION internal.lock_claim(bigint, boolean) FROM public;

CREATE OR REPLACE FUNCTION internal.refuse_ended_claim(p_claim public.signal_claims)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p_claim.sent_at IS NOT NULL AND p_claim.outcome IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB032',
            MESSAGE = format('claim %s was marked as sent at %s', p_claim.id, p_claim.sent_at),
            HINT = 'Don''t send again: look whether the broker has it, then settle_signal.';
    ELSIF p_claim.outcome IS NOT NULL OR p_claim.lease_until <= clock_timestamp() THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB031',
            MESSAGE = format(
                'claim %s has ended: %s', p_claim.id,
                coalesce(lower(p_claim.outcome), 'its lease was over at ' || p_claim.lease_until)
            ),
            HINT = 'Don''t send: another worker may have the signal. Claim again.';
    END IF;
END
$$;
COMMENT ON FUNCTION internal.refuse_ended_claim(public.signal_claims) IS
'Raises RB032 for a claim that was sent, RB031 for one that has an outcome or whose lease is over.';
REVOKE ALL ON FUNCTION internal.refuse_ended_claim(public.signal_claims) FROM public;

-- With p_expired what no account has carried out counts as not wanted any more.
CREATE OR REPLACE FUNCTION internal.decide_signal(p_signal_id bigint, p_expired boolean)
RETURNS public.signal_status_enum
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_open bigint;
    v_executed_at timestamptz;
    v_rejected bigint;
    v_message text;
    v_status public.signal_status_enum;
BEGIN
    SELECT
        count(*) FILTER (WHERE c.outcome IS NULL),
        max(c.ended_at) FILTER (WHERE c.outcome = 'EXECUTED'),
        count(*) FILTER (WHERE c.outcome = 'REJECTED'),
        (array_agg(c.message ORDER BY c.outcome, c.ended_at DESC))[1]
    INTO v_open, v_executed_at, v_rejected, v_message
    FROM (
        SELECT i.account_id AS lane FROM public.signal_intents AS i WHERE i.signal_id = p_signal_id
        UNION
        SELECT k.lane FROM public.signal_claims AS k WHERE k.signal_id = p_signal_id
    ) AS l
    LEFT JOIN public.signal_claims AS c
        ON c.signal_id = p_signal_id
            AND l.lane = c.lane
            AND c.outcome IN ('EXECUTED', 'REJECTED');
    IF v_executed_at IS NOT NULL AND (v_open = 0 OR p_expired) THEN
        v_status := 'EXECUTED';
    ELSIF v_rejected > 0 AND (v_open = 0 OR p_expired) THEN
        v_status := 'REJECTED';
    ELSIF p_expired THEN
        v_status := 'EXPIRED';
        v_message := 'valid_until is over';
    END IF;
    -- what an old client, or close_user, has decided stays
    UPDATE public.trading_signals AS s
    SET
        status = v_status,
        executed_at = CASE WHEN v_status = 'EXECUTED' THEN v_executed_at END,
        status_message = coalesce(v_message, s.status_message)
    WHERE s.id = p_signal_id AND s.status = 'PENDING' AND v_status IS NOT NULL;
    SELECT s.status INTO v_status FROM public.trading_signals AS s WHERE s.id = p_signal_id;
    RETURN v_status;
END
$$;
COMMENT ON FUNCTION internal.decide_signal(bigint, boolean) IS
'Gives a pending signal its status when no account is left to carry it out: EXECUTED when any did,
else REJECTED when any refused, else EXPIRED. Answers the status. The signal is locked before.';
REVOKE ALL ON FUNCTION internal.decide_signal(bigint, boolean) FROM public;

CREATE OR REPLACE FUNCTION public.mark_signal_sent(
    p_claim_id bigint,
    p_request jsonb,
    p_sent_at timestamptz DEFAULT NULL
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the worker's role has no rights on tables
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_claim public.signal_claims := internal.lock_claim(p_claim_id, FALSE);
    v_sent_at timestamptz := coalesce(p_sent_at, clock_timestamp());
    v_status public.signal_status_enum;
BEGIN
    PERFORM internal.refuse_ended_claim(v_claim);
    -- an old client that reads PENDING may have traded it, or a person has withdrawn it
    SELECT s.status INTO v_status
    FROM public.trading_signals AS s
    WHERE s.id = v_claim.signal_id;
    IF v_status <> 'PENDING' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB031',
            MESSAGE = format(
                'claim %s has ended: its signal is %s', p_claim_id, lower(v_status::text)
            ),
            HINT = 'Don''t send: another client has decided the signal.';
    END IF;
    UPDATE public.signal_claims AS c SET sent_at = v_sent_at WHERE c.id = p_claim_id;
    RETURN internal.store_order_send(
        v_claim.account_id, p_request, NULL, v_sent_at, NULL, 'claim-' || p_claim_id, p_claim_id
    );
END
$$;
COMMENT ON FUNCTION public.mark_signal_sent(bigint, jsonb, timestamptz) IS
'Says that order_send is called next for a claim, and keeps the request in mt5_order_sends, whose id
it answers. Commit before sending; on any error, do not send. From then on the signal is never given
to anybody again. A claim of a signal that another client has decided is refused. Raises RB024,
RB030, RB031, RB032 and RB056.';
REVOKE ALL ON FUNCTION public.mark_signal_sent(bigint, jsonb, timestamptz) FROM public;

CREATE OR REPLACE FUNCTION public.settle_signal(
    p_claim_id bigint,
    p_outcome text,
    p_message text DEFAULT NULL
)
RETURNS public.signal_status_enum
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the worker's role has no rights on tables
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_claim public.signal_claims := internal.lock_claim(p_claim_id, TRUE);
BEGIN
    IF p_outcome IS NULL OR p_outcome NOT IN ('EXECUTED', 'REJECTED') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB034',
            MESSAGE = format('%s is no outcome of a claim', coalesce(p_outcome, 'NULL')),
            HINT = 'Give EXECUTED or REJECTED; release_signal gives back what was not sent.';
    ELSIF p_outcome = v_claim.outcome THEN
        NULL; -- told again, because the answer was lost
    ELSIF v_claim.sent_at IS NOT NULL AND v_claim.outcome IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB034',
            MESSAGE = format('claim %s is %s and stays so', p_claim_id, v_claim.outcome),
            HINT = 'The first answer stays; correct the ledger by its deals.';
    ELSIF v_claim.sent_at IS NULL AND p_outcome = 'EXECUTED' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB033',
            MESSAGE = format('claim %s was not marked as sent', p_claim_id),
            HINT = 'Call mark_signal_sent before order_send.';
    ELSE
        IF v_claim.sent_at IS NULL THEN
            PERFORM internal.refuse_ended_claim(v_claim);
        END IF;
        UPDATE public.signal_claims AS c
        SET outcome = p_outcome, ended_at = clock_timestamp(), message = p_message
        WHERE c.id = p_claim_id;
    END IF;
    RETURN internal.decide_signal(v_claim.signal_id, FALSE);
END
$$;
COMMENT ON FUNCTION public.settle_signal(bigint, text, text) IS
'Tells what came of a claim: EXECUTED or REJECTED, with a message; answers the signal''s status,
which the last of its accounts decides. A sent claim can be settled at any time, an unsent one
REJECTED within its lease; telling the same again changes nothing. Raises RB024, RB030, RB031, RB033
and RB034.';
REVOKE ALL ON FUNCTION public.settle_signal(bigint, text, text) FROM public;

CREATE OR REPLACE FUNCTION public.release_signal(p_claim_id bigint, p_message text DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the worker's role has no rights on tables
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_claim public.signal_claims := internal.lock_claim(p_claim_id, FALSE);
BEGIN
    IF v_claim.outcome IN ('RELEASED', 'LAPSED') THEN
        RETURN; -- told again, or too late to matter
    ELSIF v_claim.sent_at IS NOT NULL OR v_claim.outcome IS NOT NULL THEN
        PERFORM internal.refuse_ended_claim(v_claim);
    END IF;
    UPDATE public.signal_claims AS c
    SET outcome = 'RELEASED', ended_at = clock_timestamp(), message = p_message
    WHERE c.id = p_claim_id;
    INSERT INTO internal.signal_queue (lane, ready_at, signal_id, attempt)
    VALUES (v_claim.lane, clock_timestamp(), v_claim.signal_id, v_claim.attempt + 1);
END
$$;
COMMENT ON FUNCTION public.release_signal(bigint, text) IS
'Gives back a claim that was not sent: the signal can be claimed again immediately. Raises RB024,
RB030, RB031 and RB032.';
REVOKE ALL ON FUNCTION public.release_signal(bigint, text) FROM public;
