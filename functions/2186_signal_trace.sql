-- 2186_signal_trace.sql: what happened to a signal, step by step.

CALL deploy.become_owner();

-- Runs as the caller: row security shows the steps of own signals only. An order of MT5 comes of a
-- send by its ticket, deals of the order, trips of the deals' positions.
CREATE OR REPLACE FUNCTION public.signal_trace(p_signal_id bigint)
RETURNS TABLE (
    step integer,
    at timestamptz,
    since_before interval,
    what text,
    account_id bigint,
    claim_id bigint,
    ticket bigint,
    detail text
)
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH claims AS (
        SELECT c.* FROM public.signal_claims AS c WHERE c.signal_id = p_signal_id
    ),

    sends AS (
        SELECT e.*, c.account_id AS claimed_for
        FROM claims AS c
        INNER JOIN public.mt5_order_sends AS e ON c.id = e.claim_id
    ),

    deals AS (
        SELECT DISTINCT ON (d.account_id, d.ticket) d.*, e.claim_id
        FROM sends AS e
        INNER JOIN public.trading_deals AS d
            ON e.account_id = d.account_id AND e.order_ticket = d.order_ticket
        WHERE e.order_ticket > 0
        ORDER BY d.account_id, d.ticket, e.claim_id
    ),

    trips AS (
        SELECT DISTINCT ON (t.account_id, t.position_id, t.leg) t.*, d.claim_id
        FROM deals AS d
        INNER JOIN public.mt5_trips AS t
            ON
                d.account_id = t.account_id
                AND d.position_id = t.position_id
                -- a netting position has a leg for each reversal, of other signals
                AND d.time_msc BETWEEN t.opened_msc AND coalesce(t.closed_msc, d.time_msc)
        ORDER BY t.account_id, t.position_id, t.leg, d.claim_id
    ),

    steps AS (
        SELECT
            s.signal_time AS at, 1 AS place, 'signal' AS what, NULL::bigint AS account_id,
            NULL::bigint AS claim_id, NULL::bigint AS ticket,
            format('%s %s %s', s.signal_type, s.volume::float8, s.symbol) AS detail
        FROM public.trading_signals AS s
        WHERE s.id = p_signal_id
        UNION ALL
        SELECT s.received_at, 2, 'received', NULL, NULL, NULL, s.client_request_id
        FROM public.trading_signals AS s
        WHERE s.id = p_signal_id
        UNION ALL
        SELECT
            c.claimed_at, 3, 'claim', c.account_id, c.id, NULL,
            format('%s, attempt %s', c.worker, c.attempt)
        FROM claims AS c
        UNION ALL
        SELECT c.sent_at, 4, 'sent', c.account_id, c.id, NULL, NULL
        FROM claims AS c
        WHERE c.sent_at IS NOT NULL
        UNION ALL
        SELECT
            e.answered_at, 5, 'answer', e.claimed_for, e.claim_id, nullif(e.order_ticket, 0),
            coalesce(r.name, e.retcode::text)
        FROM sends AS e
        LEFT JOIN public.mt5_codes AS r ON r.kind = 'retcode' AND e.retcode = r.code
        WHERE e.answered_at IS NOT NULL
        UNION ALL
        SELECT o.setup_at, 6, 'order', o.account_id, e.claim_id, o.ticket, r.name
        FROM sends AS e
        INNER JOIN public.mt5_orders AS o
            ON e.account_id = o.account_id AND e.order_ticket = o.ticket
        LEFT JOIN public.mt5_codes AS r ON r.kind = 'order_state' AND o.state = r.code
        UNION ALL
        SELECT
            d.executed_at, 7, 'deal', d.account_id, d.claim_id, d.ticket,
            format('%s at %s', d.volume::float8, d.price::float8)
        FROM deals AS d
        UNION ALL
        SELECT
            c.ended_at, 8, lower(c.outcome), c.account_id, c.id, NULL, c.message
        FROM claims AS c
        WHERE c.outcome IS NOT NULL
        UNION ALL
        SELECT t.closed_at, 9, 'closed', t.account_id, t.claim_id, t.position_id,
            format('net %s', t.net_result::float8)
        FROM trips AS t
        WHERE t.closed_at IS NOT NULL
    )

    SELECT
        (row_number() OVER timed)::integer,
        s.at::timestamptz,
        s.at - lag(s.at) OVER timed,
        s.what, s.account_id, s.claim_id, s.ticket, s.detail
    FROM steps AS s
    WINDOW timed AS (ORDER BY s.at, s.place, s.claim_id, s.ticket)
    ORDER BY 1
$$;
COMMENT ON FUNCTION public.signal_trace(bigint) IS
'Steps of a signal, one row each in order of time, with the time since the step before:
signal, received, claim, sent, answer, order, deal, then what the worker said (executed, rejected,
released, lapsed), and closed with the net result of the trip.';
REVOKE ALL ON FUNCTION public.signal_trace(bigint) FROM public;
