-- 2341_follow_mt5_orders.sql: a trip's row in trading_orders follows its opening order.

CALL deploy.become_owner();

-- As internal.follow_deals: type, stop and target of a trip's row are its opening order's, and an
-- update of other columns is not followed. EXECUTE plans with the current contents of the tables: a
-- plan kept from when there were no deals reads all deals of the account for each order.
CREATE OR REPLACE FUNCTION internal.follow_mt5_orders()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- orders made from deals are the owner's to write
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_account_id bigint;
    v_positions bigint[];
BEGIN
    -- ON CONFLICT fires the triggers of INSERT and of UPDATE
    IF NOT EXISTS (SELECT FROM changed_rows) THEN
        RETURN NULL;
    END IF;
    FOR v_account_id, v_positions IN EXECUTE format($changed$
        SELECT c.account_id, array_agg(DISTINCT d.position_id)
        FROM (
            SELECT n.account_id, n.ticket, n.type, n.sl, n.tp
            FROM changed_rows AS n
            %s
        ) AS c
        CROSS JOIN LATERAL (
            SELECT d.position_id, d.entry
            FROM public.trading_deals AS d
            WHERE d.account_id = c.account_id AND d.order_ticket = c.ticket
            OFFSET 0
        ) AS d
        WHERE d.entry IN (0, 2) -- IN, INOUT
            AND d.position_id > 0
        GROUP BY c.account_id
        ORDER BY c.account_id
    $changed$, CASE TG_OP
        WHEN 'UPDATE'
            THEN 'EXCEPT SELECT o.account_id, o.ticket, o.type, o.sl, o.tp FROM old_rows AS o'
    END) LOOP
        PERFORM FROM public.mt5_accounts AS a WHERE a.id = v_account_id FOR NO KEY UPDATE;
        PERFORM internal.lock_mt5_trips(v_account_id, v_positions);
        PERFORM internal.refresh_trading_orders(v_account_id, v_positions);
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.follow_mt5_orders() IS
'Trigger: has the rows of trading_orders made from deals follow their opening orders.';
REVOKE ALL ON FUNCTION internal.follow_mt5_orders() FROM public;
