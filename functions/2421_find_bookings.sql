-- 2421_find_bookings.sql: what moves an account's equity and is no result.

CALL deploy.become_owner();

-- Becomes a part of the query that calls it, so it has no search_path of its own.
CREATE OR REPLACE FUNCTION public.find_bookings(
    p_account_id bigint,
    p_since timestamptz,
    p_until timestamptz
)
RETURNS TABLE (at timestamptz, amount numeric)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
    SELECT
        o.occurred_at::timestamptz,
        o.amount::numeric
    FROM public.balance_operations AS o
    WHERE o.account_id = p_account_id AND o.occurred_at >= p_since AND o.occurred_at < p_until
    UNION ALL
    SELECT
        d.executed_at::timestamptz,
        d.profit + d.commission + d.swap + d.fee
    FROM public.trading_deals AS d
    INNER JOIN public.mt5_deal_types AS t ON d.type = t.code
    WHERE d.account_id = p_account_id
        AND d.type NOT IN (0, 1) -- by the index of those
        AND t.effect = 'credit'
        AND d.executed_at >= p_since AND d.executed_at < p_until
$$;
COMMENT ON FUNCTION public.find_bookings(bigint, timestamptz, timestamptz) IS
'Balance operations and movements of credit of an account in [since, until), account currency: what
moves its equity and is no result.';
REVOKE ALL ON FUNCTION public.find_bookings(bigint, timestamptz, timestamptz) FROM public;
