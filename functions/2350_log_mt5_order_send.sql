-- 2350_log_mt5_order_send.sql: keeps what order_send was asked and what it answered.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION internal.store_order_send(
    p_account_id bigint,
    p_request jsonb,
    p_result jsonb,
    p_sent_at timestamptz,
    p_answered_at timestamptz,
    p_client_request_id text,
    p_claim_id bigint
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_id bigint;
BEGIN
    IF jsonb_typeof(p_request) IS DISTINCT FROM 'object'
        OR coalesce(jsonb_typeof(p_result), 'null') NOT IN ('object', 'null') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB056',
            MESSAGE = 'request and result of order_send are JSON objects',
            HINT = 'A result that never came is NULL.';
    END IF;
    INSERT INTO public.mt5_order_sends AS s (
        account_id, sent_at, answered_at, claim_id, request_id, deal, order_ticket, magic, action,
        type, retcode, requested_price, requested_volume, filled_price, filled_volume, symbol,
        client_request_id, request, result
    )
    SELECT
        p_account_id, p_sent_at, p_answered_at, p_claim_id, a.request_id, a.deal, a."order",
        r.magic, r.action, r.type, a.retcode, nullif(r.price, 0), r.volume, nullif(a.price, 0),
        nullif(a.volume, 0), r.symbol, p_client_request_id, p_request, nullif(p_result, 'null')
    FROM jsonb_to_record(p_request) AS r (
        action integer, magic bigint, symbol text, volume numeric, price numeric, type integer
    )
    CROSS JOIN LATERAL jsonb_to_record(coalesce(nullif(p_result, 'null'), '{}')) AS a (
        retcode integer, deal bigint, "order" bigint, volume numeric, price numeric,
        request_id bigint
    )
    ON CONFLICT ON CONSTRAINT mt5_order_sends_account_id_client_request_id_key DO UPDATE
    SET
        answered_at = coalesce(s.answered_at, excluded.answered_at),
        request_id = coalesce(s.request_id, excluded.request_id),
        deal = coalesce(s.deal, excluded.deal),
        order_ticket = coalesce(s.order_ticket, excluded.order_ticket),
        retcode = coalesce(s.retcode, excluded.retcode),
        filled_price = coalesce(s.filled_price, excluded.filled_price),
        filled_volume = coalesce(s.filled_volume, excluded.filled_volume),
        result = coalesce(s.result, excluded.result)
    RETURNING s.id INTO v_id;
    RETURN v_id;
END
$$;
COMMENT ON FUNCTION internal.store_order_send(
    bigint, jsonb, jsonb, timestamptz, timestamptz, text, bigint
) IS
'Stores or completes a row of mt5_order_sends; answers its id. Raises RB056.';
REVOKE ALL ON FUNCTION internal.store_order_send(
    bigint, jsonb, jsonb, timestamptz, timestamptz, text, bigint
) FROM public;

-- mark_signal_sent has kept the request under the claim's name before the call; a further send for
-- the same claim, after a requote, has a name of its own.
CREATE OR REPLACE FUNCTION public.log_mt5_order_send(
    p_account_id bigint,
    p_request jsonb,
    p_result jsonb,
    p_sent_at timestamptz,
    p_answered_at timestamptz DEFAULT NULL,
    p_client_request_id text DEFAULT NULL,
    p_claim_id bigint DEFAULT NULL
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the gateway's role has no rights on tables
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_id bigint;
BEGIN
    PERFORM internal.lock_open_mt5_account(p_account_id);
    IF p_claim_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM public.signal_claims AS c
        WHERE c.id = p_claim_id AND c.account_id = p_account_id
    ) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB030',
            MESSAGE = format('account %s has no claim %s', p_account_id, p_claim_id),
            HINT = 'claim_signals answers the claims'' ids.';
    END IF;
    v_id := internal.store_order_send(
        p_account_id, p_request, p_result, p_sent_at, p_answered_at,
        coalesce(p_client_request_id, 'claim-' || p_claim_id), p_claim_id
    );
    IF p_claim_id IS NOT NULL THEN
        -- by a worker that did not mark it: nobody else may get what the broker may have
        UPDATE public.signal_claims AS c
        SET sent_at = p_sent_at
        WHERE c.id = p_claim_id AND c.sent_at IS NULL AND c.outcome IS NULL;
        -- the deals may have been quicker
        PERFORM internal.link_signals(
            p_account_id,
            ARRAY(
                SELECT DISTINCT d.position_id
                FROM public.mt5_order_sends AS s
                INNER JOIN public.trading_deals AS d
                    ON s.account_id = d.account_id AND s.order_ticket = d.order_ticket
                WHERE s.id = v_id AND d.position_id > 0
            )
        );
    END IF;
    RETURN v_id;
END
$$;
COMMENT ON FUNCTION
public.log_mt5_order_send(bigint, jsonb, jsonb, timestamptz, timestamptz, text, bigint) IS
'Keeps a request of order_send with its result and the times of both; answers the row''s id. With
p_client_request_id or p_claim_id a repeat completes the row; of a claim, the order gets its signal,
and a claim that was not marked counts as sent.
Raises RB024, RB030, RB051 and RB056.';
REVOKE ALL ON FUNCTION
public.log_mt5_order_send(bigint, jsonb, jsonb, timestamptz, timestamptz, text, bigint) FROM public;
