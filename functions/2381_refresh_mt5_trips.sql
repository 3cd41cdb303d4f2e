-- 2381_refresh_mt5_trips.sql: stored trips follow the deals, and the strategies of magic numbers.

CALL deploy.become_owner();

-- Made with a list of the columns, so that each stands here once and the statement in the function:
-- as text for EXECUTE it was planned at each call, and planning took most of the time of one deal.
-- One generic plan serves all accounts, and goes by the keys however few the rows were when the
-- session made it: without sequential scans, and without joins that read an account's rows where
-- one is wanted. = ANY keeps a look-up by key for each position and takes all of them through the
-- view together; what would be a join of two results is a UNION ALL with GROUP BY. A scan that is
-- left nevertheless costs 10^10 until PostgreSQL 17, for which jit would compile each call: 0.9 s.
DO $$
DECLARE
    -- all columns except the row in trading_orders, which is linked, not made
    c_columns CONSTANT text := $columns$
        account_id, position_id, leg, deals, magic, strategy_id, open_order,
        opened_at, closed_at, opened_msc, closed_msc, time_ambiguous, is_whole,
        volume_opened, volume_closed, open_price, close_price,
        profit, commission, swap, fee, symbol, side, close_by_orders
    $columns$;
BEGIN
    EXECUTE format(
        $create$
CREATE OR REPLACE FUNCTION internal.refresh_mt5_trips(p_account_id bigint, p_positions bigint[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $body$
DECLARE
    v_positions bigint[];
    v_legs integer[];
    v_orders bigint[];
BEGIN
    WITH should AS MATERIALIZED (
        SELECT v.*
        FROM internal.trips_of_deals AS v
        WHERE v.account_id = p_account_id AND v.position_id = ANY (p_positions)
    ),
    found AS MATERIALIZED (
        SELECT t.*
        FROM public.mt5_trips AS t
        WHERE t.account_id = p_account_id AND t.position_id = ANY (p_positions)
    ),
    stored AS (
        INSERT INTO public.mt5_trips (%1$s)
        SELECT %1$s FROM should
        EXCEPT
        SELECT %1$s FROM found
        ON CONFLICT ON CONSTRAINT mt5_trips_pkey DO UPDATE SET (%1$s) = ROW(%2$s)
    ),
    untraded AS (
        SELECT
            b.position_id,
            b.leg,
            max(b.trading_order_id) AS trading_order_id,
            bool_or(b.is_made) AS is_made
        FROM (
            SELECT f.position_id, f.leg, f.trading_order_id, FALSE AS is_made, FALSE AS is_trade
            FROM found AS f
            UNION ALL
            SELECT s.position_id, s.leg, NULL, TRUE, s.side IS NOT NULL
            FROM should AS s
        ) AS b
        GROUP BY b.position_id, b.leg
        HAVING NOT bool_and(b.is_made) AND NOT bool_or(b.is_trade)
    )
    SELECT
        array_agg(n.position_id) FILTER (WHERE NOT n.is_made),
        array_agg(n.leg) FILTER (WHERE NOT n.is_made),
        array_agg(n.trading_order_id) FILTER (WHERE n.trading_order_id IS NOT NULL)
    INTO v_positions, v_legs, v_orders
    FROM untraded AS n;

    -- before their orders, which a trip that is left would have made again
    IF v_positions IS NOT NULL THEN
        DELETE FROM public.mt5_trips AS t
        USING unnest(v_positions, v_legs) AS g (position_id, leg)
        WHERE t.account_id = p_account_id AND t.position_id = g.position_id AND t.leg = g.leg;
    END IF;
    -- A trade that MT5 took back: our order goes; an order of the API, also one that the API took
    -- over, has not traded then.
    IF v_orders IS NOT NULL THEN
        DELETE FROM public.trading_orders AS o
        WHERE o.id = ANY (v_orders) AND o.made_by = 'deals';
        UPDATE public.trading_orders AS o
        SET close_price = NULL, closed_at = NULL, profit = 0, commission = 0, swap = 0
        WHERE o.id = ANY (v_orders);
        UPDATE public.mt5_trips AS t
        SET trading_order_id = NULL
        WHERE t.trading_order_id = ANY (v_orders);
    END IF;
END
$body$
        $create$,
        c_columns, regexp_replace(c_columns, '[a-z_]+', 'excluded.\&', 'g')
    );
END
$$;
COMMENT ON FUNCTION internal.refresh_mt5_trips(bigint, bigint[]) IS
'Makes the trips of some positions follow their deals, and gives up orders that have no trade.';
REVOKE ALL ON FUNCTION internal.refresh_mt5_trips(bigint, bigint[]) FROM public;

CREATE OR REPLACE FUNCTION public.rebuild_mt5_trips(p_account_id bigint)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- uses functions of the schema internal
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_account public.mt5_accounts;
    v_positions bigint[];
    v_tickets bigint[];
BEGIN
    v_account := internal.lock_mt5_account(p_account_id);
    PERFORM internal.find_first_stops_in_events(p_account_id);
    -- Stored twice by a transaction that could not see the other's row (REPEATABLE READ), or long
    -- ago: the order of the API takes the place of ours when its account is named.
    UPDATE public.trading_orders AS o
    SET account_id = p_account_id
    FROM public.mt5_trips AS t
    INNER JOIN public.trading_orders AS m ON t.trading_order_id = m.id
    WHERE t.account_id = p_account_id
        AND m.made_by = 'deals'
        AND o.account_id IS NULL
        AND o.user_id = v_account.user_id
        AND o.mt5_order_id = m.mt5_order_id
        AND o.symbol = m.symbol
        AND NOT EXISTS (
            SELECT FROM public.trading_orders AS x
            WHERE x.mt5_order_id = m.mt5_order_id
                AND x.user_id = v_account.user_id
                AND x.account_id <> p_account_id
        );
    SELECT
        array_agg(DISTINCT d.position_id) FILTER (WHERE d.position_id > 0),
        array_agg(d.ticket) FILTER (WHERE d.type NOT IN (0, 1) OR o.id IS NOT NULL)
    INTO v_positions, v_tickets
    FROM public.trading_deals AS d
    LEFT JOIN public.balance_operations AS o
        ON d.account_id = o.account_id AND d.ticket::text = o.mt5_deal_id
    WHERE d.account_id = p_account_id;
    PERFORM internal.refresh_ledger(p_account_id, v_positions, v_tickets, NULL);
    -- of a trip that was deleted by hand
    DELETE FROM public.trading_orders AS o
    WHERE o.account_id = p_account_id
        AND o.made_by = 'deals'
        AND NOT EXISTS (SELECT FROM public.mt5_trips AS t WHERE t.trading_order_id = o.id);
    RETURN coalesce(cardinality(v_positions), 0);
END
$$;
COMMENT ON FUNCTION public.rebuild_mt5_trips(bigint) IS
'Makes all trips and balance operations of an account again, after a correction of mt5_deal_types,
makes one row of an order stored twice, and adds first stops that stored events alone tell; answers
the number of positions. Raises RB051.';
REVOKE ALL ON FUNCTION public.rebuild_mt5_trips(bigint) FROM public;

-- No foreign key: each trip would be checked, and a deletion would read all trips. Before the
-- deletion, so that trips are locked before their orders, whose foreign key empties them.
CREATE OR REPLACE FUNCTION internal.forget_strategy_of_trips()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- trips are the owner's to write
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE public.mt5_trips AS t
    SET strategy_id = NULL
    FROM public.mt5_accounts AS a
    WHERE a.user_id = OLD.user_id AND t.account_id = a.id AND t.strategy_id = OLD.id;
    RETURN OLD;
END
$$;
COMMENT ON FUNCTION internal.forget_strategy_of_trips() IS
'Trigger: trips of a strategy that is deleted have none, as their orders and magic numbers.';
REVOKE ALL ON FUNCTION internal.forget_strategy_of_trips() FROM public;

-- The trips directly, not made again from their deals: nothing else of them changes. First the
-- account, as for deals: what the gateway has stored meanwhile is seen, and what comes later sees
-- the change. An order goes with its trip that has the strategy the number had: where the API gave
-- it another, or its signal has one, that stays.
CREATE OR REPLACE FUNCTION internal.follow_magic_numbers()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- trips are the owner's to write
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_account_id bigint;
BEGIN
    FOR v_account_id IN
        SELECT DISTINCT c.account_id FROM changed_rows AS c ORDER BY c.account_id
    LOOP
        PERFORM FROM public.mt5_accounts AS a WHERE a.id = v_account_id FOR NO KEY UPDATE;
        WITH wrong AS MATERIALIZED (
            SELECT
                t.position_id,
                t.leg,
                t.trading_order_id,
                t.strategy_id AS was,
                m.strategy_id
            FROM public.mt5_trips AS t
            LEFT JOIN LATERAL (
                SELECT m.strategy_id
                FROM public.mt5_magic_strategies AS m
                WHERE m.account_id = t.account_id
                    AND m.magic = t.magic
                    AND m.valid_from <= t.opened_at
                ORDER BY m.valid_from DESC
                LIMIT 1
            ) AS m ON TRUE
            WHERE t.account_id = v_account_id
                AND t.magic IN (
                    SELECT c.magic FROM changed_rows AS c WHERE c.account_id = v_account_id
                )
                AND t.strategy_id IS DISTINCT FROM m.strategy_id
            FOR NO KEY UPDATE OF t
        ),
        moved AS (
            UPDATE public.mt5_trips AS t
            SET strategy_id = w.strategy_id
            FROM wrong AS w
            WHERE t.account_id = v_account_id
                AND t.position_id = w.position_id
                AND t.leg = w.leg
        )
        UPDATE public.trading_orders AS o
        SET strategy_id = w.strategy_id
        FROM wrong AS w
        WHERE o.id = w.trading_order_id
            AND o.strategy_id IS NOT DISTINCT FROM w.was
            AND NOT EXISTS (
                SELECT FROM public.trading_signals AS s
                WHERE s.id = o.signal_id AND s.strategy_id = o.strategy_id
            );
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.follow_magic_numbers() IS
'Trigger: has trips, and orders that go with them, follow the strategies of magic numbers.';
REVOKE ALL ON FUNCTION internal.follow_magic_numbers() FROM public;
