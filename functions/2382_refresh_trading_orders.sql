-- 2382_refresh_trading_orders.sql: each trip has its row in trading_orders, the API's where there
-- is one.

CALL deploy.become_owner();

-- All by the keys with one generic plan, for the reasons given at internal.refresh_mt5_trips; the
-- settings of internal.refresh_trading_orders() hold in the functions that it calls.

CREATE OR REPLACE FUNCTION internal.lock_mt5_trips(p_account_id bigint, p_positions bigint[])
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
AS $$
BEGIN
    PERFORM
    FROM public.mt5_trips AS t
    WHERE t.account_id = p_account_id AND t.position_id = ANY (p_positions)
    FOR NO KEY UPDATE;
END
$$;
COMMENT ON FUNCTION internal.lock_mt5_trips(bigint, bigint[]) IS
'Makes the API wait before it gives a trip of some positions another order.';
REVOKE ALL ON FUNCTION internal.lock_mt5_trips(bigint, bigint[]) FROM public;

-- The columns that both functions write, beside the number, are named here once. The second makes
-- orders follow their trips; rows that agree already are not written.
DO $$
DECLARE
    c_columns CONSTANT text := $columns$
        account_id, mt5_position_id, symbol, order_type, volume, open_price, close_price,
        stop_loss, take_profit, profit, commission, swap, opened_at, closed_at,
        time_ambiguous, strategy_id
    $columns$;
BEGIN
    EXECUTE format(
        $create$
CREATE OR REPLACE FUNCTION internal.make_orders_of_trips(
    p_account_id bigint,
    p_positions bigint[],
    p_with_number boolean
)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    v_are_all_made boolean;
BEGIN
    WITH missing AS MATERIALIZED (
        SELECT v.*, nextval('public.trading_orders_id_seq') AS new_id
        FROM internal.orders_of_trips AS v
        WHERE v.account_id = p_account_id
            AND v.position_id = ANY (p_positions)
            AND v.id IS NULL
    ),
    made AS (
        INSERT INTO public.trading_orders (id, user_id, made_by, mt5_order_id, %1$s)
        SELECT new_id, user_id, 'deals', CASE WHEN p_with_number THEN mt5_order_id END, %1$s
        FROM missing
        ORDER BY position_id, leg
        ON CONFLICT (mt5_order_id, account_id) DO NOTHING
        RETURNING id
    ),
    noted AS (
        -- within a trigger of the deals audit.note_new_order() leaves these rows to this statement
        INSERT INTO audit.changes (app_user_id, table_name, row_id, action)
        SELECT
            nullif(current_setting('app.user_id', TRUE), ''), 'trading_orders', m.id, 'INSERT'
        FROM made AS m
        WHERE pg_trigger_depth() > 0
    ),
    linked AS (
        UPDATE public.mt5_trips AS t
        SET trading_order_id = m.new_id
        FROM (
            SELECT
                max(b.account_id) AS account_id,
                max(b.position_id) AS position_id,
                max(b.leg) AS leg,
                b.new_id
            FROM (
                SELECT n.account_id, n.position_id, n.leg, n.new_id FROM missing AS n
                UNION ALL
                SELECT NULL, NULL, NULL, o.id FROM made AS o
            ) AS b
            GROUP BY b.new_id
            HAVING count(*) = 2
        ) AS m
        -- not p_account_id, which would have all trips of the account read
        WHERE t.account_id = m.account_id AND t.position_id = m.position_id AND t.leg = m.leg
    )
    SELECT (SELECT count(*) FROM missing) = (SELECT count(*) FROM made) INTO v_are_all_made;
    RETURN v_are_all_made;
END
$body$
        $create$,
        c_columns
    );
    EXECUTE format(
        $create$
CREATE OR REPLACE FUNCTION internal.update_orders_of_trips(
    p_account_id bigint,
    p_positions bigint[],
    p_orders bigint[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    PERFORM FROM public.trading_orders AS o
    WHERE o.id = ANY (p_orders)
    ORDER BY o.id
    FOR NO KEY UPDATE;
    -- of orders that ask for the same number, the first gets it
    UPDATE public.trading_orders AS o
    SET (mt5_order_id, %1$s) = ROW(c.mt5_order_id, %2$s)
    FROM (
        SELECT
            v.id,
            CASE
                WHEN row_number() OVER (
                    PARTITION BY v.mt5_order_id ORDER BY v.position_id, v.leg
                ) = 1
                    THEN v.mt5_order_id
            END AS mt5_order_id,
            %1$s
        FROM internal.orders_of_trips AS v
        WHERE v.account_id = p_account_id
            AND v.position_id = ANY (p_positions)
            AND v.id IS NOT NULL
    ) AS c
    WHERE o.id = c.id
        AND (o.mt5_order_id, %3$s) IS DISTINCT FROM (c.mt5_order_id, %2$s);
END
$body$
        $create$,
        c_columns,
        regexp_replace(c_columns, '[a-z0-9_]+', 'c.\&', 'g'),
        regexp_replace(c_columns, '[a-z0-9_]+', 'o.\&', 'g')
    );
END
$$;
COMMENT ON FUNCTION internal.make_orders_of_trips(bigint, bigint[], boolean) IS
'Makes orders for trips of some positions that have none; FALSE when a number was taken meanwhile.';
REVOKE ALL ON FUNCTION internal.make_orders_of_trips(bigint, bigint[], boolean) FROM public;
COMMENT ON FUNCTION internal.update_orders_of_trips(bigint, bigint[], bigint[]) IS
'Makes some orders follow their trips; rows that agree already are not written.';
REVOKE ALL ON FUNCTION internal.update_orders_of_trips(bigint, bigint[], bigint[]) FROM public;

-- A deal that comes late may give a leg another opening order, and another leg its number. An order
-- of the API goes with the leg that it opened, and a row of ours gives way to the API's that waits
-- for the number: else that one would stay open for good beside the trade.
CREATE OR REPLACE FUNCTION internal.part_orders_of_trips(p_account_id bigint, p_positions bigint[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE public.mt5_trips AS t
    SET trading_order_id = NULL
    FROM public.trading_orders AS o
    WHERE t.account_id = p_account_id
        AND t.position_id = ANY (p_positions)
        AND t.trading_order_id = o.id
        AND o.made_by = 'api'
        AND o.mt5_order_id <> coalesce(t.open_order, t.position_id)::text
        AND (
            SELECT TRUE
            FROM public.mt5_trips AS y
            WHERE y.account_id = p_account_id
                AND y.position_id = t.position_id
                AND y.open_order::text = o.mt5_order_id
            LIMIT 1
        );
    DELETE FROM public.trading_orders AS o
    USING public.mt5_trips AS t
    WHERE t.account_id = p_account_id
        AND t.position_id = ANY (p_positions)
        AND t.trading_order_id = o.id
        AND o.made_by = 'deals'
        AND o.mt5_order_id IS DISTINCT FROM t.open_order::text
        AND (
            SELECT TRUE
            FROM public.trading_orders AS x
            WHERE x.mt5_order_id = t.open_order::text
                AND x.made_by = 'api'
                AND x.user_id = o.user_id
                AND coalesce(x.account_id, p_account_id) = p_account_id
                AND (
                    SELECT TRUE FROM public.mt5_trips AS y WHERE y.trading_order_id = x.id
                ) IS NULL
            LIMIT 1
        );
    UPDATE public.trading_orders AS o
    SET mt5_order_id = NULL
    FROM public.mt5_trips AS t
    WHERE t.account_id = p_account_id
        AND t.position_id = ANY (p_positions)
        AND t.trading_order_id = o.id
        AND o.made_by = 'deals'
        AND o.mt5_order_id <> coalesce(t.open_order::text, '');
END
$$;
COMMENT ON FUNCTION internal.part_orders_of_trips(bigint, bigint[]) IS
'Takes trips of some positions and orders apart whose numbers differ, before they are joined.';
REVOKE ALL ON FUNCTION internal.part_orders_of_trips(bigint, bigint[]) FROM public;

CREATE OR REPLACE FUNCTION internal.refresh_trading_orders(
    p_account_id bigint,
    p_positions bigint[]
)
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
AS $$
DECLARE
    -- An order with an account may be inserted by the API after it was looked for: the number is
    -- taken then, and the second round finds its row. The third gives up the number, not the trip.
    c_rounds CONSTANT integer := 3;
    v_user_id bigint;
    v_orders bigint[];
    v_has_stale boolean;
    v_numbers text[];
BEGIN
    -- After the lock the following statements see the API's latest changes, a signal or a stop.
    WITH trips AS MATERIALIZED (
        SELECT t.trading_order_id, t.open_order, t.position_id
        FROM public.mt5_trips AS t
        WHERE t.account_id = p_account_id
            AND t.position_id = ANY (p_positions)
            AND t.side IS NOT NULL
    ),
    orders AS MATERIALIZED (
        SELECT
            o.id,
            o.mt5_order_id IS DISTINCT FROM t.open_order::text AS is_stale
        FROM trips AS t
        CROSS JOIN LATERAL (
            SELECT o.id, o.mt5_order_id
            FROM public.trading_orders AS o
            WHERE o.id = t.trading_order_id
            OFFSET 0
            FOR NO KEY UPDATE
        ) AS o
    )
    SELECT
        (SELECT coalesce(array_agg(o.id), '{}') FROM orders AS o),
        (SELECT bool_or(o.is_stale) FROM orders AS o),
        array_agg(coalesce(t.open_order, t.position_id)::text)
        FILTER (WHERE t.trading_order_id IS NULL)
    INTO v_orders, v_has_stale, v_numbers
    FROM trips AS t;

    IF v_has_stale THEN
        PERFORM internal.part_orders_of_trips(p_account_id, p_positions);
        SELECT array_agg(coalesce(t.open_order, t.position_id)::text) INTO v_numbers
        FROM public.mt5_trips AS t
        WHERE t.account_id = p_account_id
            AND t.position_id = ANY (p_positions)
            AND coalesce(t.trading_order_id, 0) = 0
            AND t.side IS NOT NULL;
    END IF;

    IF v_numbers IS NOT NULL THEN
        SELECT a.user_id INTO v_user_id FROM public.mt5_accounts AS a WHERE a.id = p_account_id;
        PERFORM internal.claim_order_numbers(v_user_id, v_numbers);
        FOR v_round IN 1..c_rounds LOOP
            v_orders := v_orders || internal.link_orders_of_api(
                p_account_id, v_user_id, p_positions, v_numbers
            );
            EXIT WHEN internal.make_orders_of_trips(
                p_account_id, p_positions, v_round < c_rounds
            );
        END LOOP;
    END IF;
    IF v_orders <> '{}' THEN
        PERFORM internal.update_orders_of_trips(p_account_id, p_positions, v_orders);
    END IF;
    IF EXISTS (
        SELECT FROM public.mt5_order_sends AS s
        WHERE s.account_id = p_account_id AND s.claim_id IS NOT NULL AND s.order_ticket > 0
    ) THEN
        PERFORM internal.link_signals(p_account_id, p_positions);
    END IF;
END
$$;
COMMENT ON FUNCTION internal.refresh_trading_orders(bigint, bigint[]) IS
'Gives each trip of some positions its row in trading_orders, the API''s where there is one, and
makes the row follow the trip. Needs internal.lock_mt5_trips() before.';
REVOKE ALL ON FUNCTION internal.refresh_trading_orders(bigint, bigint[]) FROM public;
