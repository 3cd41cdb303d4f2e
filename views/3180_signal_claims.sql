-- 3180_signal_claims.sql: claims that a person must look at.

CALL deploy.become_owner();

CREATE OR REPLACE VIEW public.claims_in_doubt
WITH (security_invoker = TRUE) AS
SELECT
    c.id AS claim_id,
    c.signal_id,
    s.user_id,
    c.account_id,
    c.worker,
    s.symbol,
    s.signal_type,
    s.volume,
    c.sent_at,
    c.lease_until,
    now() - c.lease_until AS in_doubt_for,
    e.send_id,
    e.magic,
    e.retcode,
    e.order_ticket
FROM public.signal_claims AS c
INNER JOIN public.trading_signals AS s ON c.signal_id = s.id
INNER JOIN public.mt5_accounts AS a ON c.account_id = a.id
LEFT JOIN LATERAL (
    SELECT
        o.id AS send_id,
        o.magic,
        o.retcode,
        o.order_ticket
    FROM public.mt5_order_sends AS o
    WHERE o.claim_id = c.id
    ORDER BY o.sent_at DESC, o.id DESC
    LIMIT 1
) AS e ON TRUE
WHERE
    c.outcome IS NULL
    AND c.sent_at IS NOT NULL
    AND c.lease_until <= now()
    AND a.closed_at IS NULL;

COMMENT ON VIEW public.claims_in_doubt IS
'Claims that were sent, or about to be, and whose lease ended without a word: the broker may have
the order or not. A person looks, then calls settle_signal.';
COMMENT ON COLUMN public.claims_in_doubt.claim_id IS 'Claim, as settle_signal takes it.';
COMMENT ON COLUMN public.claims_in_doubt.signal_id IS 'Signal that was taken.';
COMMENT ON COLUMN public.claims_in_doubt.user_id IS 'Owner.';
COMMENT ON COLUMN public.claims_in_doubt.account_id IS 'Trading account it was taken for.';
COMMENT ON COLUMN public.claims_in_doubt.worker IS 'Name that the worker gave.';
COMMENT ON COLUMN public.claims_in_doubt.symbol IS 'Symbol as the broker spells it.';
COMMENT ON COLUMN public.claims_in_doubt.signal_type IS 'BUY, SELL, CLOSE_BUY or CLOSE_SELL.';
COMMENT ON COLUMN public.claims_in_doubt.volume IS 'Volume in lots.';
COMMENT ON COLUMN public.claims_in_doubt.sent_at IS
'When the worker said that it calls order_send now, UTC.';
COMMENT ON COLUMN public.claims_in_doubt.lease_until IS 'When its lease ended, UTC.';
COMMENT ON COLUMN public.claims_in_doubt.in_doubt_for IS 'Time since then.';
COMMENT ON COLUMN public.claims_in_doubt.send_id IS
'Its latest row in mt5_order_sends, with the request.';
COMMENT ON COLUMN public.claims_in_doubt.magic IS 'Magic number of the request.';
COMMENT ON COLUMN public.claims_in_doubt.retcode IS
'Answer of the broker where it was logged; NULL when none came.';
COMMENT ON COLUMN public.claims_in_doubt.order_ticket IS
'Order of the answer; NULL when none came.';

-- Not security_invoker: rubi_monitor, who may not read signals, counts them here.
CREATE OR REPLACE VIEW monitoring.signal_claims AS
WITH ended AS (
    SELECT
        o.id,
        o.lease_until,
        CASE WHEN o.sent_at IS NULL THEN 'not taken up' ELSE 'in doubt' END AS kind
    FROM public.signal_claims AS o
    INNER JOIN public.mt5_accounts AS a ON o.account_id = a.id
    INNER JOIN public.trading_signals AS s ON o.signal_id = s.id
    WHERE
        o.outcome IS NULL
        AND o.lease_until <= now()
        AND a.closed_at IS NULL
        AND (o.sent_at IS NOT NULL OR s.status = 'PENDING')
)

SELECT
    k.kind,
    count(e.id) AS claims,
    min(e.lease_until)::timestamptz AS oldest_end
FROM (VALUES ('in doubt'), ('not taken up')) AS k (kind)
LEFT JOIN ended AS e ON k.kind = e.kind
GROUP BY k.kind;

COMMENT ON VIEW monitoring.signal_claims IS
'Claims whose lease ended without an outcome: sent ones, which a person must look at, and unsent
ones, which no worker has taken up again.';
COMMENT ON COLUMN monitoring.signal_claims.kind IS 'in doubt: sent. not taken up: unsent.';
COMMENT ON COLUMN monitoring.signal_claims.claims IS 'Number of them.';
COMMENT ON COLUMN monitoring.signal_claims.oldest_end IS
'When the first of these leases ended, UTC; NULL for none.';
