-- 2331_follow_deals.sql: trips, orders and balance operations follow every change of deals.

CALL deploy.become_owner();

-- All rows derived from deals, for every writer of deals. Locks go from the account to its trips to
-- their orders, and so do the API's (set_order_account).
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
AS $$
BEGIN
    IF p_tickets IS NOT NULL THEN
        PERFORM internal.refresh_balance_operations(p_account_id, p_tickets);
    END IF;
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
    END IF;
END
$$;
COMMENT ON FUNCTION internal.refresh_ledger(bigint, bigint[], bigint[], bigint) IS
'Makes trips and orders of some positions, balance operations of some deals, and the balance before
the first report follow the deals. p_since_msc is the time of the earliest deal that changed.';
REVOKE ALL ON FUNCTION internal.refresh_ledger(bigint, bigint[], bigint[], bigint) FROM public;

-- Once for each statement of any writer, from its rows. EXECUTE, since only UPDATE has old rows
-- beside the new, inserted or deleted ones. An updated row counts when a column changed that others
-- are derived from: a comment or a mark that the deal is gone changes no trip.
CREATE OR REPLACE FUNCTION internal.follow_deals()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- trips and operations are the owner's to write
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c_columns CONSTANT text :=
        'account_id, ticket, order_ticket, time_msc, position_id, magic, executed_at, type, entry,'
        ' reason, time_ambiguous, volume, price, commission, swap, profit, fee, symbol';
    v_account_id bigint;
    v_positions bigint[];
    v_tickets bigint[];
    v_since_msc bigint;
BEGIN
    -- ON CONFLICT fires the triggers of INSERT and of UPDATE
    IF NOT EXISTS (SELECT FROM changed_rows) THEN
        RETURN NULL;
    END IF;
    -- in the order of ids, so that two statements over several accounts don't deadlock
    FOR v_account_id, v_positions, v_tickets, v_since_msc IN EXECUTE format(
        $changed$
            SELECT
                c.account_id,
                array_agg(DISTINCT c.position_id) FILTER (WHERE c.position_id > 0),
                array_agg(DISTINCT c.ticket) FILTER (WHERE c.type NOT IN (0, 1)),
                min(c.time_msc)
            FROM (%s) AS c
            GROUP BY c.account_id
            ORDER BY c.account_id
        $changed$,
        CASE TG_OP
            WHEN 'UPDATE' THEN replace(
                '(SELECT :columns FROM old_rows EXCEPT SELECT :columns FROM changed_rows)'
                ' UNION ALL'
                ' (SELECT :columns FROM changed_rows EXCEPT SELECT :columns FROM old_rows)',
                ':columns', c_columns
            )
            ELSE 'TABLE changed_rows'
        END
    ) LOOP
        PERFORM FROM public.mt5_accounts AS a WHERE a.id = v_account_id FOR NO KEY UPDATE;
        PERFORM internal.refresh_ledger(v_account_id, v_positions, v_tickets, v_since_msc);
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.follow_deals() IS
'Trigger: has trips, their orders and balance operations follow the deals.';
REVOKE ALL ON FUNCTION internal.follow_deals() FROM public;
