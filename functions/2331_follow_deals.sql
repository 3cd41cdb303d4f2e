-- 2331_follow_deals.sql: trips, orders and balance operations follow every change of deals.

CALL deploy.become_owner();

-- All rows derived from deals, for every writer of deals. Locks go from the account to its trips to
-- their orders, and so do the API's (set_order_account). A DELETE of an order has its row before:
-- against deals of the same trip one of both gets 40P01, and is to be repeated.
CREATE OR REPLACE FUNCTION internal.refresh_ledger(
    p_account_id bigint,
    p_positions bigint[],
    p_tickets bigint[],
    p_since_msc bigint
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
-- for the reasons given at internal.refresh_mt5_trips
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
    v_tickets bigint[] := p_tickets;
BEGIN
    PERFORM FROM public.mt5_accounts AS a WHERE a.id = p_account_id FOR NO KEY UPDATE;
    IF EXISTS (
        SELECT FROM public.mt5_reports AS r
        WHERE r.account_id = p_account_id AND r.first_msc > p_since_msc
    ) THEN
        PERFORM internal.refresh_mt5_opening_balance(p_account_id);
    END IF;
    IF p_positions IS NOT NULL THEN
        PERFORM internal.lock_mt5_trips(p_account_id, p_positions);
        PERFORM internal.refresh_mt5_trips(p_account_id, p_positions);
        PERFORM internal.refresh_trading_orders(p_account_id, p_positions);
        -- a dividend is an operation as long as no trade of its position is known; coalesce, so
        -- that the look-up goes by the position, not by all deals that are no trades
        v_tickets := nullif(p_tickets || ARRAY(
            SELECT d.ticket
            FROM public.trading_deals AS d
            WHERE d.account_id = p_account_id
                AND d.position_id = ANY (p_positions)
                AND coalesce(d.type, 0) NOT IN (0, 1)
                AND d.ticket <> ALL (coalesce(p_tickets, '{}'))
        ), '{}');
    END IF;
    -- after the trips, which say what is part of a trade
    IF v_tickets IS NOT NULL THEN
        PERFORM internal.refresh_balance_operations(p_account_id, v_tickets);
    END IF;
END
$$;
COMMENT ON FUNCTION internal.refresh_ledger(bigint, bigint[], bigint[], bigint) IS
'Makes trips and orders of some positions, balance operations of some deals, and the balance before
the first report follow the deals. p_since_msc is the time of the earliest deal that changed.';
REVOKE ALL ON FUNCTION internal.refresh_ledger(bigint, bigint[], bigint[], bigint) FROM public;

-- Once for each statement of any writer, from its rows. ON CONFLICT fires the triggers of INSERT
-- and of UPDATE, one of them without rows. Two functions, because only UPDATE has old rows: one
-- text for both had to be planned at each call.
CREATE OR REPLACE FUNCTION internal.follow_deals()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- trips and operations are the owner's to write
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM internal.refresh_ledger(g.account_id, g.positions, g.tickets, g.since_msc)
    FROM (
        SELECT
            c.account_id,
            array_agg(DISTINCT c.position_id) FILTER (WHERE c.position_id > 0) AS positions,
            array_agg(DISTINCT c.ticket) FILTER (WHERE c.type NOT IN (0, 1)) AS tickets,
            min(c.time_msc) AS since_msc
        FROM changed_rows AS c
        GROUP BY c.account_id
        -- so that two statements over several accounts don't deadlock
        ORDER BY c.account_id
    ) AS g;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.follow_deals() IS
'Trigger: has trips, their orders and balance operations follow deals that come or go.';
REVOKE ALL ON FUNCTION internal.follow_deals() FROM public;

-- A row counts when a column changed that others are derived from: a comment or a mark that the
-- deal is gone changes no trip.
CREATE OR REPLACE FUNCTION internal.follow_changed_deals()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- trips and operations are the owner's to write
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM internal.refresh_ledger(g.account_id, g.positions, g.tickets, g.since_msc)
    FROM (
        SELECT
            c.account_id,
            array_agg(DISTINCT c.position_id) FILTER (WHERE c.position_id > 0) AS positions,
            array_agg(DISTINCT c.ticket) FILTER (WHERE c.type NOT IN (0, 1)) AS tickets,
            min(c.time_msc) AS since_msc
        FROM (
            SELECT b.account_id, b.ticket, b.time_msc, b.position_id, b.type
            FROM (
                SELECT o.* FROM old_rows AS o
                UNION ALL
                SELECT n.* FROM changed_rows AS n
            ) AS b
            GROUP BY
                b.account_id, b.ticket, b.order_ticket, b.time_msc, b.position_id, b.magic,
                b.executed_at, b.type, b.entry, b.reason, b.time_ambiguous, b.volume, b.price,
                b.commission, b.swap, b.profit, b.fee, b.symbol
            HAVING count(*) = 1 -- and not once before, once after
        ) AS c
        GROUP BY c.account_id
        ORDER BY c.account_id
    ) AS g;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.follow_changed_deals() IS
'Trigger: has trips, their orders and balance operations follow deals that change.';
REVOKE ALL ON FUNCTION internal.follow_changed_deals() FROM public;

-- An order that the API deletes leaves its trip behind, without a row in trading_orders until the
-- next deal. The foreign key has emptied the trip's column, and locked the trip, before. Not the
-- account, which locks come from: the gateway may have it and wait for this order.
CREATE OR REPLACE FUNCTION internal.follow_deleted_orders()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- orders made from deals are the owner's to write
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_trips record;
BEGIN
    FOR v_trips IN
        SELECT t.account_id, array_agg(DISTINCT t.position_id) AS positions
        FROM changed_rows AS c
        CROSS JOIN LATERAL (
            SELECT t.account_id, t.position_id
            FROM public.mt5_trips AS t
            WHERE t.account_id = c.account_id
                -- any text, from an order that has no trip
                AND t.position_id = CASE
                    WHEN c.mt5_position_id ~ '^[0-9]{1,19}$'
                        THEN least(c.mt5_position_id::numeric, 9223372036854775807)::bigint
                END
                AND t.trading_order_id IS NULL
                AND t.side IS NOT NULL
            OFFSET 0
        ) AS t
        GROUP BY t.account_id
        ORDER BY t.account_id
    LOOP
        PERFORM internal.lock_mt5_trips(v_trips.account_id, v_trips.positions);
        PERFORM internal.refresh_trading_orders(v_trips.account_id, v_trips.positions);
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.follow_deleted_orders() IS
'Trigger: has the trips of deleted orders make a row of their own.';
REVOKE ALL ON FUNCTION internal.follow_deleted_orders() FROM public;
