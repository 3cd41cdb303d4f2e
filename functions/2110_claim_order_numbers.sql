-- 2110_claim_order_numbers.sql: one transaction at a time stores an order of a number.
-- needs: schema/0210_order_claims.sql
-- transaction: yes

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION internal.claim_order_numbers(p_user_id bigint, p_numbers text[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
-- planned while the table is empty, a sequential scan would go over all dead rows later
SET enable_seqscan = off
AS $$
BEGIN
    -- in the order of the numbers: two that claim many wait for each other in a row
    INSERT INTO internal.order_claims (user_id, mt5_order_id)
    SELECT p_user_id, n.number
    FROM unnest(p_numbers) AS n (number)
    GROUP BY n.number
    ORDER BY n.number;
    DELETE FROM internal.order_claims AS c
    WHERE c.user_id = p_user_id AND c.mt5_order_id = ANY (p_numbers);
END
$$;
COMMENT ON FUNCTION internal.claim_order_numbers(bigint, text[]) IS
'Waits until no other transaction is about to store orders of a user with these numbers, and makes
others wait until this one has ended.';
REVOKE ALL ON FUNCTION internal.claim_order_numbers(bigint, text[]) FROM public;
