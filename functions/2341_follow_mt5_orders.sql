-- 2341_follow_mt5_orders.sql: a trip's row in trading_orders follows its opening order.

CALL deploy.become_owner();

-- Type, stop and target of a trip's row are those of its opening order. A plan that a session made
-- while deals were few would read all deals of the account for each order for ever, and one made
-- for each call is paid with each order. Without sequential scans the plan that is kept goes by the
-- index on the number of the order, however few the deals were.
CREATE OR REPLACE FUNCTION internal.follow_opening_orders(p_account_id bigint, p_orders bigint[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_positions bigint[] := internal.find_opened_positions(p_account_id, p_orders);
BEGIN
    IF v_positions IS NOT NULL THEN
        PERFORM FROM public.mt5_accounts AS a WHERE a.id = p_account_id FOR NO KEY UPDATE;
        PERFORM internal.lock_mt5_trips(p_account_id, v_positions);
        PERFORM internal.refresh_trading_orders(p_account_id, v_positions);
    END IF;
END
$$;
COMMENT ON FUNCTION internal.follow_opening_orders(bigint, bigint[]) IS
'Has the rows of trading_orders of the positions that some orders opened follow these orders.';
REVOKE ALL ON FUNCTION internal.follow_opening_orders(bigint, bigint[]) FROM public;

CREATE OR REPLACE FUNCTION internal.find_opened_positions(p_account_id bigint, p_orders bigint[])
RETURNS bigint[]
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan -- one plan for any number of orders
AS $$
BEGIN
    RETURN (
        SELECT array_agg(DISTINCT d.position_id)
        FROM unnest(p_orders) AS u (ticket)
        CROSS JOIN LATERAL (
            SELECT d.position_id, d.entry
            FROM public.trading_deals AS d
            WHERE d.account_id = p_account_id AND d.order_ticket = u.ticket
            OFFSET 0
        ) AS d
        WHERE d.entry IN (0, 2) -- IN, INOUT
            AND d.position_id > 0
    );
END
$$;
COMMENT ON FUNCTION internal.find_opened_positions(bigint, bigint[]) IS
'Positions of an account that deals of some orders opened; NULL when there are none.';
REVOKE ALL ON FUNCTION internal.find_opened_positions(bigint, bigint[]) FROM public;

-- ON CONFLICT fires the triggers of INSERT and of UPDATE, one of them without rows. Two functions,
-- because only UPDATE has old rows: one text for both had to be planned at each call.
CREATE OR REPLACE FUNCTION internal.follow_mt5_orders()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- orders made from deals are the owner's to write
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM internal.follow_opening_orders(g.account_id, g.orders)
    FROM (
        SELECT c.account_id, array_agg(c.ticket) AS orders
        FROM changed_rows AS c
        GROUP BY c.account_id
        ORDER BY c.account_id
    ) AS g;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.follow_mt5_orders() IS
'Trigger: has the rows of trading_orders made from deals follow their opening orders when these come
or go.';
REVOKE ALL ON FUNCTION internal.follow_mt5_orders() FROM public;

CREATE OR REPLACE FUNCTION internal.follow_changed_mt5_orders()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- orders made from deals are the owner's to write
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM internal.follow_opening_orders(g.account_id, g.orders)
    FROM (
        SELECT c.account_id, array_agg(c.ticket) AS orders
        FROM (
            SELECT n.account_id, n.ticket, n.type, n.sl, n.tp FROM changed_rows AS n
            EXCEPT
            SELECT o.account_id, o.ticket, o.type, o.sl, o.tp FROM old_rows AS o
        ) AS c
        GROUP BY c.account_id
        ORDER BY c.account_id
    ) AS g;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.follow_changed_mt5_orders() IS
'Trigger: has the rows of trading_orders made from deals follow their opening orders when type, stop
or target of these change.';
REVOKE ALL ON FUNCTION internal.follow_changed_mt5_orders() FROM public;
