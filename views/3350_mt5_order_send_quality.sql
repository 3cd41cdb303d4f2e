-- 3350_mt5_order_send_quality.sql: slippage, latency and rejections of order_send.

CALL deploy.become_owner();

CREATE OR REPLACE VIEW public.mt5_order_send_quality
WITH (security_invoker = TRUE) AS
SELECT
    s.id,
    s.account_id,
    s.sent_at,
    s.symbol,
    s.retcode,
    c.name AS retcode_name,
    s.retcode IS NULL OR s.retcode NOT IN (10008, 10009, 10010) AS is_rejected,
    s.answered_at - s.sent_at AS latency,
    s.requested_price,
    s.filled_price,
    s.requested_volume,
    s.filled_volume,
    -- sides are even codes for buying, odd ones for selling
    CASE
        WHEN s.type BETWEEN 0 AND 7
            THEN (1 - 2 * (s.type % 2)) * (s.filled_price - s.requested_price)
    END AS slippage
FROM public.mt5_order_sends AS s
LEFT JOIN public.mt5_codes AS c ON c.kind = 'retcode' AND s.retcode = c.code;

COMMENT ON VIEW public.mt5_order_send_quality IS
'One row an order_send: slippage, latency and outcome.';
COMMENT ON COLUMN public.mt5_order_send_quality.id IS 'Row of mt5_order_sends.';
COMMENT ON COLUMN public.mt5_order_send_quality.account_id IS 'Trading account.';
COMMENT ON COLUMN public.mt5_order_send_quality.sent_at IS 'Time of the gateway''s call, UTC.';
COMMENT ON COLUMN public.mt5_order_send_quality.symbol IS 'Symbol as the broker spells it.';
COMMENT ON COLUMN public.mt5_order_send_quality.retcode IS 'Answer; NULL when none came.';
COMMENT ON COLUMN public.mt5_order_send_quality.retcode_name IS 'Name of the answer, where known.';
COMMENT ON COLUMN public.mt5_order_send_quality.is_rejected IS
'TRUE unless the order was placed, done or done in part.';
COMMENT ON COLUMN public.mt5_order_send_quality.latency IS 'Time from the call to its answer.';
COMMENT ON COLUMN public.mt5_order_send_quality.requested_price IS 'Price asked for.';
COMMENT ON COLUMN public.mt5_order_send_quality.filled_price IS 'Price of the deal.';
COMMENT ON COLUMN public.mt5_order_send_quality.requested_volume IS 'Volume asked for, lots.';
COMMENT ON COLUMN public.mt5_order_send_quality.filled_volume IS 'Volume of the deal, lots.';
COMMENT ON COLUMN public.mt5_order_send_quality.slippage IS
'Price of the deal against the price asked for, quote currency; positive is worse for the client.';
