-- 2350_log_mt5_order_send.sql: keeps what order_send was asked and what it answered.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION public.log_mt5_order_send(
    p_account_id bigint,
    p_request jsonb,
    p_result jsonb,
    p_sent_at timestamptz,
    p_answered_at timestamptz DEFAULT NULL,
    p_client_request_id text DEFAULT NULL
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
    IF jsonb_typeof(p_request) IS DISTINCT FROM 'object'
        OR coalesce(jsonb_typeof(p_result), 'null') NOT IN ('object', 'null') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB056',
            MESSAGE = 'request and result of order_send are JSON objects',
            HINT = 'A result that never came is NULL.';
    END IF;
    PERFORM internal.lock_open_mt5_account(p_account_id);
    INSERT INTO public.mt5_order_sends AS s (
        account_id, sent_at, answered_at, request_id, deal, order_ticket, magic, action, type,
        retcode, requested_price, requested_volume, filled_price, filled_volume, symbol,
        client_request_id, request, result
    )
    SELECT
        p_account_id, p_sent_at, p_answered_at, a.request_id, a.deal, a."order", r.magic, r.action,
        r.type, a.retcode, nullif(r.price, 0), r.volume, nullif(a.price, 0), nullif(a.volume, 0),
        r.symbol, p_client_request_id, p_request, nullif(p_result, 'null')
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
COMMENT ON FUNCTION
public.log_mt5_order_send(bigint, jsonb, jsonb, timestamptz, timestamptz, text) IS
'Keeps a request of order_send with its result and the times of both; answers the row''s id. With
p_client_request_id a repeat completes the row. Raises RB024, RB051 and RB056.';
REVOKE ALL ON FUNCTION
public.log_mt5_order_send(bigint, jsonb, jsonb, timestamptz, timestamptz, text) FROM public;
