-- 2410_refresh_balance_operations.sql: balance operations follow the deals.

CALL deploy.become_owner();

-- Performance takes deposits and withdrawals out of the returns by them.
CREATE OR REPLACE FUNCTION internal.refresh_balance_operations(
    p_account_id bigint,
    p_tickets bigint[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE $refresh$
        WITH should AS MATERIALIZED (
            SELECT v.*
            FROM unnest($2) AS u (ticket)
            CROSS JOIN LATERAL (
                SELECT v.*
                FROM internal.operations_of_deals AS v
                WHERE v.account_id = $1 AND v.ticket = u.ticket
                OFFSET 0
            ) AS v
        ),
        gone AS (
            DELETE FROM public.balance_operations AS o
            USING unnest($2) AS u (ticket)
            WHERE o.account_id = $1
                AND o.mt5_deal_id = u.ticket::text
                AND u.ticket NOT IN (SELECT s.ticket FROM should AS s)
        )
        INSERT INTO public.balance_operations AS o (
            user_id, account_id, mt5_deal_id, amount, occurred_at
        )
        SELECT s.user_id, s.account_id, s.mt5_deal_id, s.amount, s.occurred_at
        FROM should AS s
        ON CONFLICT ON CONSTRAINT balance_operations_mt5_deal_id_account_id_key DO UPDATE
        SET amount = excluded.amount, occurred_at = excluded.occurred_at
        WHERE (o.amount, o.occurred_at) IS DISTINCT FROM (excluded.amount, excluded.occurred_at)
    $refresh$ USING p_account_id, p_tickets;
END
$$;
COMMENT ON FUNCTION internal.refresh_balance_operations(bigint, bigint[]) IS
'Makes the balance operations of some deals follow the deals.';
REVOKE ALL ON FUNCTION internal.refresh_balance_operations(bigint, bigint[]) FROM public;
