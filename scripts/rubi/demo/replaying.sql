-- replaying.sql: what the demo asks of its own trades.

-- IS_COMPLETE: whether a signal, by the identity of its request, has its deal
SELECT EXISTS (
    SELECT
    FROM trading_signals AS s
    INNER JOIN signal_claims AS c ON s.id = c.signal_id
    INNER JOIN mt5_order_sends AS o ON c.id = o.claim_id
    INNER JOIN trading_deals AS d
        ON o.account_id = d.account_id AND o.order_ticket = d.order_ticket
    WHERE s.client_request_id = %(name)s
) AS is_complete;
