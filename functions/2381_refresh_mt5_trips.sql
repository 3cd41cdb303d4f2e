-- 2381_refresh_mt5_trips.sql: stored trips and the rows of trading_orders follow the deals.

CALL deploy.become_owner();

-- The deals are right about volume, prices, times and money; what the API alone knows of its own
-- orders stays. The fee has no column in the base: it is part of commission here, so that
-- profit + commission + swap is the trip's net result.
CREATE OR REPLACE FUNCTION internal.compute_mt5_trading_orders(
    p_account_id bigint,
    p_positions bigint[]
)
RETURNS TABLE (
    position_id bigint,
    leg integer,
    id bigint,
    open_order text,
    mt5_order_id text,
    mt5_position_id text,
    symbol text,
    order_type text,
    volume numeric,
    open_price numeric,
    close_price numeric,
    stop_loss numeric,
    take_profit numeric,
    profit numeric,
    commission numeric,
    swap numeric,
    opened_at timestamptz,
    closed_at timestamptz,
    time_ambiguous boolean,
    strategy_id bigint
)
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        t.position_id,
        t.leg,
        o.id,
        t.open_order::text,
        CASE
            WHEN o.mt5_order_id IS NOT NULL AND NOT t.order_made_here THEN o.mt5_order_id
            WHEN o.mt5_order_id = t.open_order::text THEN o.mt5_order_id
            WHEN k.is_taken IS NULL
                AND row_number() OVER (PARTITION BY t.open_order ORDER BY t.position_id, t.leg) = 1
                THEN t.open_order::text
        END,
        t.position_id::text,
        t.symbol,
        CASE WHEN a.is_of_api THEN o.order_type ELSE coalesce(c.name, t.side) END,
        greatest(t.volume_opened, t.volume_closed),
        t.open_price,
        CASE WHEN t.closed_at IS NOT NULL THEN t.close_price END,
        coalesce(CASE WHEN a.is_of_api THEN o.stop_loss END, nullif(m.sl, 0)),
        coalesce(CASE WHEN a.is_of_api THEN o.take_profit END, nullif(m.tp, 0)),
        t.profit,
        t.commission + t.fee,
        t.swap,
        t.opened_at,
        t.closed_at,
        t.time_ambiguous,
        coalesce(CASE WHEN a.is_of_api THEN o.strategy_id END, t.strategy_id)
    FROM unnest(p_positions) AS u (position_id)
    CROSS JOIN LATERAL (
        SELECT x.*
        FROM public.mt5_trips AS x
        WHERE x.account_id = p_account_id AND x.position_id = u.position_id
        OFFSET 0
    ) AS t
    LEFT JOIN LATERAL (
        SELECT x.*
        FROM public.trading_orders AS x
        WHERE x.id = t.trading_order_id
        LIMIT 1
    ) AS o ON TRUE
    -- the API makes a row from here its own when it gives it a signal or a request id
    CROSS JOIN LATERAL (
        SELECT
            o.id IS NOT NULL
            AND NOT (
                t.order_made_here AND o.signal_id IS NULL AND o.client_request_id IS NULL
            ) AS is_of_api
    ) AS a
    LEFT JOIN LATERAL (
        SELECT x.type, x.sl, x.tp
        FROM public.mt5_orders AS x
        WHERE x.account_id = p_account_id AND x.ticket = t.open_order
        LIMIT 1
    ) AS m ON TRUE
    -- LATERAL and LIMIT: a look-up by key for each, where NOT EXISTS may read the whole account
    LEFT JOIN LATERAL (
        SELECT TRUE AS is_taken
        FROM public.trading_orders AS x
        WHERE x.account_id = p_account_id AND x.mt5_order_id = t.open_order::text
        LIMIT 1
    ) AS k ON TRUE
    LEFT JOIN public.mt5_codes AS c
        ON c.kind = 'order_type' AND c.code = m.type AND c.code BETWEEN 0 AND 7
    WHERE t.side IS NOT NULL
$$;
COMMENT ON FUNCTION internal.compute_mt5_trading_orders(bigint, bigint[]) IS
'What the rows in trading_orders of some positions'' trips shall hold; id is NULL where there is no
row yet.';
REVOKE ALL ON FUNCTION internal.compute_mt5_trading_orders(bigint, bigint[]) FROM public;

-- A trip that the API wrote an order for is that order: by number within the account, or by number
-- and symbol where the API named no account and no other account of the user has this number.
-- EXECUTE makes a plan for the very positions: one kept from a first batch, when the tables were
-- small, reads the whole account each time. plan_cache_mode would do the same to every trigger and
-- foreign key of every row: half of the time.
CREATE OR REPLACE FUNCTION internal.sync_mt5_trading_orders(
    p_account_id bigint,
    p_positions bigint[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user_id bigint;
    v_numbers text[];
    v_positions bigint[];
    v_legs integer[];
    v_ids bigint[];
    v_made bigint[];
    v_all_made bigint[] := '{}';
BEGIN
    SELECT a.user_id INTO v_user_id FROM public.mt5_accounts AS a WHERE a.id = p_account_id;

    -- A deal that comes late may give a leg another opening order, and another leg its number.
    EXECUTE $update$
        UPDATE public.trading_orders AS o
        SET mt5_order_id = NULL
        FROM unnest($2) AS u (position_id)
        CROSS JOIN LATERAL (
            SELECT x.*
            FROM public.mt5_trips AS x
            WHERE x.account_id = $1 AND x.position_id = u.position_id
            OFFSET 0
        ) AS t
        WHERE o.id = t.trading_order_id
            AND t.order_made_here
            AND o.mt5_order_id <> coalesce(t.open_order::text, '')
    $update$ USING p_account_id, p_positions;

    EXECUTE $select$
        SELECT array_agg(coalesce(t.open_order, t.position_id)::text)
        FROM unnest($2) AS u (position_id)
        CROSS JOIN LATERAL (
            SELECT x.*
            FROM public.mt5_trips AS x
            WHERE x.account_id = $1 AND x.position_id = u.position_id
            OFFSET 0
        ) AS t
        WHERE t.trading_order_id IS NULL AND t.side IS NOT NULL
    $select$ INTO v_numbers USING p_account_id, p_positions;
    IF v_numbers IS NOT NULL THEN
        PERFORM internal.claim_order_numbers(v_user_id, v_numbers);
    END IF;

    -- An order with an account may be inserted by the API between the two statements; then the
    -- number is taken, and the second round finds its row. The third gives up the number, not the
    -- trip.
    FOR v_attempt IN 1..3 LOOP
        EXIT WHEN v_numbers IS NULL;
        EXECUTE $update$
            WITH candidates AS (
                SELECT DISTINCT ON (o.id)
                    t.position_id,
                    t.leg,
                    o.id
                FROM unnest($3) AS u (position_id)
                CROSS JOIN LATERAL (
                    SELECT x.*
                    FROM public.mt5_trips AS x
                    WHERE x.account_id = $1 AND x.position_id = u.position_id
                    OFFSET 0
                ) AS t
                CROSS JOIN LATERAL (
                    SELECT o.id
                    FROM public.trading_orders AS o
                    WHERE o.account_id = $1
                        AND o.mt5_order_id = coalesce(t.open_order, t.position_id)::text
                    UNION ALL
                    SELECT o.id
                    FROM public.trading_orders AS o
                    WHERE o.account_id IS NULL
                        AND o.user_id = $2
                        AND o.mt5_order_id = coalesce(t.open_order, t.position_id)::text
                        AND o.symbol = t.symbol
                        AND NOT EXISTS (
                            SELECT FROM public.trading_orders AS x
                            WHERE x.account_id = $1 AND x.mt5_order_id = o.mt5_order_id
                        )
                        AND NOT EXISTS (
                            SELECT FROM public.mt5_accounts AS a
                            INNER JOIN public.trading_deals AS d ON a.id = d.account_id
                            WHERE a.user_id = $2
                                AND a.id <> $1
                                AND d.order_ticket = coalesce(t.open_order, t.position_id)
                        )
                ) AS o
                LEFT JOIN LATERAL (
                    SELECT TRUE AS is_taken
                    FROM public.mt5_trips AS x
                    WHERE x.trading_order_id = o.id
                    LIMIT 1
                ) AS k ON TRUE
                WHERE t.trading_order_id IS NULL
                    AND t.side IS NOT NULL
                    AND (t.open_order IS NOT NULL OR t.leg = 1)
                    AND k.is_taken IS NULL
                ORDER BY o.id, t.position_id, t.leg
            ),
            single AS (
                SELECT DISTINCT ON (c.position_id, c.leg) c.position_id, c.leg, c.id
                FROM candidates AS c
                ORDER BY c.position_id, c.leg, c.id
            )
            UPDATE public.mt5_trips AS t
            SET trading_order_id = s.id, order_made_here = FALSE
            FROM single AS s
            WHERE t.account_id = $1 AND t.position_id = s.position_id AND t.leg = s.leg
        $update$ USING p_account_id, v_user_id, p_positions;

        EXECUTE $select$
            SELECT
                array_agg(t.position_id),
                array_agg(t.leg),
                array_agg(nextval('public.trading_orders_id_seq'))
            FROM unnest($2) AS u (position_id)
            CROSS JOIN LATERAL (
                SELECT x.*
                FROM public.mt5_trips AS x
                WHERE x.account_id = $1 AND x.position_id = u.position_id
                OFFSET 0
            ) AS t
            WHERE t.trading_order_id IS NULL AND t.side IS NOT NULL
        $select$ INTO v_positions, v_legs, v_ids USING p_account_id, p_positions;
        EXIT WHEN v_ids IS NULL;

        WITH made AS (
            INSERT INTO public.trading_orders (
                id, user_id, account_id, mt5_order_id, mt5_position_id, symbol, order_type, volume,
                open_price, close_price, stop_loss, take_profit, profit, commission, swap,
                opened_at, closed_at, time_ambiguous, strategy_id
            )
            SELECT
                f.id, v_user_id, p_account_id, CASE WHEN v_attempt < 3 THEN w.open_order END,
                w.mt5_position_id, w.symbol, w.order_type, w.volume, w.open_price, w.close_price,
                w.stop_loss, w.take_profit, w.profit, w.commission, w.swap, w.opened_at,
                w.closed_at, w.time_ambiguous, w.strategy_id
            FROM internal.compute_mt5_trading_orders(p_account_id, p_positions) AS w
            INNER JOIN unnest(v_positions, v_legs, v_ids) AS f (position_id, leg, id)
                ON w.position_id = f.position_id AND w.leg = f.leg
            ON CONFLICT (mt5_order_id, account_id) DO NOTHING
            RETURNING id
        )
        SELECT coalesce(array_agg(m.id), '{}') INTO v_made FROM made AS m;

        EXECUTE $update$
            UPDATE public.mt5_trips AS t
            SET trading_order_id = f.id, order_made_here = TRUE
            FROM unnest($2, $3, $4) AS f (position_id, leg, id)
            WHERE t.account_id = $1
                AND t.position_id = f.position_id
                AND t.leg = f.leg
                AND f.id = ANY ($5)
        $update$ USING p_account_id, v_positions, v_legs, v_ids, v_made;
        v_all_made := v_all_made || v_made;
        EXIT WHEN cardinality(v_made) = cardinality(v_ids);
    END LOOP;

    -- What the API changes in them meanwhile, a signal or a stop, is to be seen by what follows.
    EXECUTE $lock$
        WITH found AS (
            SELECT o.id
            FROM unnest($2) AS u (position_id)
            CROSS JOIN LATERAL (
                SELECT x.trading_order_id
                FROM public.mt5_trips AS x
                WHERE x.account_id = $1 AND x.position_id = u.position_id
                OFFSET 0
            ) AS t
            INNER JOIN public.trading_orders AS o ON t.trading_order_id = o.id
            WHERE o.id <> ALL ($3)
            FOR NO KEY UPDATE OF o
        )
        SELECT count(*) FROM found
    $lock$ USING p_account_id, p_positions, v_all_made;

    EXECUTE $update$
        UPDATE public.trading_orders AS o
        SET
            account_id = $1,
            mt5_order_id = w.mt5_order_id,
            mt5_position_id = w.mt5_position_id,
            symbol = w.symbol,
            order_type = w.order_type,
            volume = w.volume,
            open_price = w.open_price,
            close_price = w.close_price,
            stop_loss = w.stop_loss,
            take_profit = w.take_profit,
            profit = w.profit,
            commission = w.commission,
            swap = w.swap,
            opened_at = w.opened_at,
            closed_at = w.closed_at,
            time_ambiguous = w.time_ambiguous,
            strategy_id = w.strategy_id
        FROM internal.compute_mt5_trading_orders($1, $2) AS w
        WHERE o.id = w.id
            AND w.id <> ALL ($3)
            AND (
                o.account_id, o.mt5_order_id, o.mt5_position_id, o.symbol, o.order_type, o.volume,
                o.open_price, o.close_price, o.stop_loss, o.take_profit, o.profit, o.commission,
                o.swap, o.opened_at, o.closed_at, o.time_ambiguous, o.strategy_id
            ) IS DISTINCT FROM (
                $1, w.mt5_order_id, w.mt5_position_id, w.symbol, w.order_type, w.volume,
                w.open_price, w.close_price, w.stop_loss, w.take_profit, w.profit, w.commission,
                w.swap, w.opened_at, w.closed_at, w.time_ambiguous, w.strategy_id
            )
    $update$ USING p_account_id, p_positions, v_all_made;
END
$$;
COMMENT ON FUNCTION internal.sync_mt5_trading_orders(bigint, bigint[]) IS
'Gives each trip of some positions its row in trading_orders: the API''s where there is one.';
REVOKE ALL ON FUNCTION internal.sync_mt5_trading_orders(bigint, bigint[]) FROM public;

CREATE OR REPLACE FUNCTION internal.refresh_mt5_trips(p_account_id bigint, p_positions bigint[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_made_here bigint[];
    v_of_api bigint[];
BEGIN
    EXECUTE $merge$
        WITH computed AS MATERIALIZED (
            SELECT c.* FROM internal.compute_mt5_trips($1, $2) AS c
        ),
        stored AS (
            INSERT INTO public.mt5_trips AS t (
                account_id, position_id, leg, deals, magic, strategy_id, open_order, opened_at,
                closed_at, opened_msc, closed_msc, time_ambiguous, is_whole, volume_opened,
                volume_closed, open_price, close_price, profit, commission, swap, fee, symbol, side,
                close_by_orders
            )
            SELECT
                c.account_id, c.position_id, c.leg, c.deals, c.magic, c.strategy_id, c.open_order,
                c.opened_at, c.closed_at, c.opened_msc, c.closed_msc, c.time_ambiguous, c.is_whole,
                c.volume_opened, c.volume_closed, c.open_price, c.close_price, c.profit,
                c.commission, c.swap, c.fee, c.symbol, c.side, c.close_by_orders
            FROM computed AS c
            ON CONFLICT ON CONSTRAINT mt5_trips_pkey DO UPDATE
            SET
                (
                    deals, magic, strategy_id, open_order, opened_at, closed_at, opened_msc,
                    closed_msc, time_ambiguous, is_whole, volume_opened, volume_closed, open_price,
                    close_price, profit, commission, swap, fee, symbol, side, close_by_orders
                ) = (
                    excluded.deals, excluded.magic, excluded.strategy_id, excluded.open_order,
                    excluded.opened_at, excluded.closed_at, excluded.opened_msc,
                    excluded.closed_msc, excluded.time_ambiguous, excluded.is_whole,
                    excluded.volume_opened, excluded.volume_closed, excluded.open_price,
                    excluded.close_price, excluded.profit, excluded.commission, excluded.swap,
                    excluded.fee, excluded.symbol, excluded.side, excluded.close_by_orders
                )
            WHERE (
                t.deals, t.magic, t.strategy_id, t.open_order, t.opened_at, t.closed_at,
                t.time_ambiguous, t.is_whole, t.volume_opened, t.volume_closed, t.open_price,
                t.close_price, t.profit, t.commission, t.swap, t.fee, t.symbol, t.side,
                t.close_by_orders
            ) IS DISTINCT FROM (
                excluded.deals, excluded.magic, excluded.strategy_id, excluded.open_order,
                excluded.opened_at, excluded.closed_at, excluded.time_ambiguous, excluded.is_whole,
                excluded.volume_opened, excluded.volume_closed, excluded.open_price,
                excluded.close_price, excluded.profit, excluded.commission, excluded.swap,
                excluded.fee, excluded.symbol, excluded.side, excluded.close_by_orders
            )
        ),
        gone AS (
            DELETE FROM public.mt5_trips AS t
            USING unnest($2) AS u (position_id)
            WHERE t.account_id = $1
                AND t.position_id = u.position_id
                AND NOT EXISTS (
                    SELECT FROM computed AS c
                    WHERE c.position_id = t.position_id AND c.leg = t.leg
                )
            RETURNING t.trading_order_id, t.order_made_here
        ),
        released AS (
            SELECT g.trading_order_id, g.order_made_here FROM gone AS g
            UNION ALL
            -- only money is left of it: nothing was traded
            SELECT t.trading_order_id, t.order_made_here
            FROM public.mt5_trips AS t
            INNER JOIN computed AS c
                ON t.account_id = $1 AND t.position_id = c.position_id AND t.leg = c.leg
            WHERE c.side IS NULL
        )
        SELECT
            array_agg(r.trading_order_id) FILTER (WHERE r.order_made_here),
            array_agg(r.trading_order_id) FILTER (WHERE NOT r.order_made_here)
        FROM released AS r
        WHERE r.trading_order_id IS NOT NULL
    $merge$ INTO v_made_here, v_of_api USING p_account_id, p_positions;

    -- A trade that MT5 took back: our row goes; the API's, also one that it has made its own, is an
    -- order that has not traded.
    IF v_made_here IS NOT NULL THEN
        DELETE FROM public.trading_orders AS o
        WHERE o.id = ANY (v_made_here) AND o.signal_id IS NULL AND o.client_request_id IS NULL;
        v_of_api := v_of_api || v_made_here;
    END IF;
    IF v_of_api IS NOT NULL THEN
        UPDATE public.trading_orders AS o
        SET close_price = NULL, closed_at = NULL, profit = 0, commission = 0, swap = 0
        WHERE o.id = ANY (v_of_api);
        UPDATE public.mt5_trips AS t
        SET trading_order_id = NULL, order_made_here = FALSE
        WHERE t.trading_order_id = ANY (v_of_api);
    END IF;
    PERFORM internal.sync_mt5_trading_orders(p_account_id, p_positions);
END
$$;
COMMENT ON FUNCTION internal.refresh_mt5_trips(bigint, bigint[]) IS
'Makes the trips of some positions, and their rows in trading_orders, again from their deals.';
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
BEGIN
    v_account := internal.lock_mt5_account(p_account_id);
    -- Stored twice by a transaction that could not see the other's row (REPEATABLE READ), or long
    -- ago: the order of the API takes the place of ours when its account is named.
    UPDATE public.trading_orders AS o
    SET account_id = p_account_id
    FROM public.mt5_trips AS t
    INNER JOIN public.trading_orders AS m ON t.trading_order_id = m.id
    WHERE t.account_id = p_account_id
        AND t.order_made_here
        AND m.signal_id IS NULL
        AND m.client_request_id IS NULL
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
    SELECT array_agg(DISTINCT d.position_id) INTO v_positions
    FROM public.trading_deals AS d
    WHERE d.account_id = p_account_id AND d.position_id > 0;
    PERFORM internal.refresh_mt5_trips(p_account_id, coalesce(v_positions, '{}'));
    RETURN coalesce(cardinality(v_positions), 0);
END
$$;
COMMENT ON FUNCTION public.rebuild_mt5_trips(bigint) IS
'Makes all trips of an account again, after a correction of mt5_magic_strategies, and makes one row
of an order that is stored twice; answers the number of positions. Raises RB051.';
REVOKE ALL ON FUNCTION public.rebuild_mt5_trips(bigint) FROM public;
