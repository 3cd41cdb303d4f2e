-- 2410_note_balance_operation.sql: deals that move the balance without a trade become operations.

CALL deploy.become_owner();

-- Performance takes deposits and withdrawals out of the returns by this table. Runs as the owner of
-- the ingest functions; WHEN leaves fills of orders, nearly all deals, at nothing.
CREATE OR REPLACE FUNCTION internal.note_balance_operation()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM public.balance_operations AS o
    WHERE o.account_id = NEW.account_id AND o.mt5_deal_id = NEW.ticket::text;
    INSERT INTO public.balance_operations (user_id, account_id, mt5_deal_id, amount, occurred_at)
    SELECT
        a.user_id,
        NEW.account_id,
        NEW.ticket::text,
        NEW.profit + NEW.commission + NEW.swap + NEW.fee,
        NEW.executed_at
    FROM public.mt5_accounts AS a
    LEFT JOIN public.mt5_deal_types AS t ON t.code = NEW.type
    WHERE a.id = NEW.account_id
        AND coalesce(t.effect, 'balance') = 'balance'
        AND NEW.profit + NEW.commission + NEW.swap + NEW.fee <> 0;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.note_balance_operation() IS
'Trigger: keeps balance_operations equal to the deals whose type moves the balance.';
REVOKE ALL ON FUNCTION internal.note_balance_operation() FROM public;
