-- 3382_orders_of_trips.sql: orders and balance operations as trips and deals make them.

CALL deploy.become_owner();

-- The deals decide volume, prices, times and money; facts that only the API knows of its orders
-- stay. The fee has no column in the base: it is part of commission here, so that
-- profit + commission + swap is the trip's net result.
-- Not security_invoker: the proofs read it for rubi_monitor, who may not read orders.
CREATE OR REPLACE VIEW internal.orders_of_trips AS
SELECT
    t.position_id,
    t.leg,
    o.id,
    a.user_id,
    t.account_id,
    CASE
        WHEN o.made_by = 'api' AND o.mt5_order_id IS NOT NULL THEN o.mt5_order_id
        WHEN o.mt5_order_id = t.open_order::text THEN o.mt5_order_id
        -- ON CONFLICT looks for the number of a row that is to be made: many accounts may have it
        WHEN o.id IS NULL THEN t.open_order::text
        -- at most one row, and a look-up by number: NOT EXISTS, or an index that begins with the
        -- account, may read the whole account
        WHEN (
            SELECT TRUE
            FROM public.trading_orders AS x
            WHERE
                coalesce(x.account_id, 0) = t.account_id
                AND x.mt5_order_id = t.open_order::text
        ) IS NULL
            THEN t.open_order::text
    END AS mt5_order_id,
    t.position_id::text AS mt5_position_id,
    t.symbol,
    CASE
        WHEN o.made_by = 'api' THEN o.order_type
        WHEN m.type BETWEEN 0 AND 7
            THEN coalesce(
                (
                    SELECT c.name
                    FROM public.mt5_codes AS c
                    WHERE c.kind = 'order_type' AND c.code = m.type
                ),
                t.side
            )
        ELSE t.side
    END AS order_type,
    greatest(t.volume_opened, t.volume_closed) AS volume,
    t.open_price,
    CASE WHEN t.closed_at IS NOT NULL THEN t.close_price END AS close_price,
    coalesce(CASE WHEN o.made_by = 'api' THEN o.stop_loss END, nullif(m.sl, 0)) AS stop_loss,
    coalesce(CASE WHEN o.made_by = 'api' THEN o.take_profit END, nullif(m.tp, 0)) AS take_profit,
    t.profit,
    t.commission + t.fee AS commission,
    t.swap,
    t.opened_at,
    t.closed_at,
    t.time_ambiguous,
    coalesce(CASE WHEN o.made_by = 'api' THEN o.strategy_id END, t.strategy_id) AS strategy_id
FROM public.mt5_trips AS t
INNER JOIN public.mt5_accounts AS a ON t.account_id = a.id
LEFT JOIN public.trading_orders AS o ON t.trading_order_id = o.id
LEFT JOIN public.mt5_orders AS m ON t.account_id = m.account_id AND t.open_order = m.ticket
-- a trip with money alone has no trade
WHERE t.side IS NOT NULL;

COMMENT ON VIEW internal.orders_of_trips IS
'Contents that the rows of trading_orders of trips should have; id is NULL where the row is
missing.';

-- Deals that move the balance without a trade; fills of orders move the balance, too, and are
-- trades. What is booked to a traded position, a dividend or a charge, is in the result of its
-- trip: here as well, the money would count twice. What a trade that was taken back leaves behind
-- is in no trip. A deal that stands for archived ones moved nothing: their operations are here.
-- Not security_invoker: the proofs read the view for rubi_monitor, who may not read deals.
CREATE OR REPLACE VIEW internal.operations_of_deals AS
SELECT
    d.ticket,
    a.user_id,
    d.account_id,
    d.ticket::text AS mt5_deal_id,
    d.profit + d.commission + d.swap + d.fee AS amount,
    d.executed_at AS occurred_at
FROM public.trading_deals AS d
INNER JOIN public.mt5_accounts AS a ON d.account_id = a.id
LEFT JOIN public.mt5_deal_types AS t ON d.type = t.code
LEFT JOIN public.mt5_explanations AS e
    ON d.account_id = e.account_id AND d.ticket = e.deal_ticket AND e.is_explained
WHERE
    d.type NOT IN (0, 1)
    AND e.id IS NULL
    AND coalesce(t.effect, 'balance') IN ('balance', 'cancelled')
    AND d.profit + d.commission + d.swap + d.fee <> 0
    AND (
        t.effect = 'cancelled'
        -- a look-up for each: most name no position
        OR (
            SELECT count(*)
            FROM public.mt5_trips AS r
            WHERE
                d.position_id > 0
                AND r.account_id = d.account_id
                AND r.position_id = d.position_id
                AND r.side IS NOT NULL
        ) = 0
    );

COMMENT ON VIEW internal.operations_of_deals IS
'Contents that balance_operations should have by the deals.';

-- Each column of the three views has the name and the comment of the table's column.
DO $$
DECLARE
    v_column record;
BEGIN
    FOR v_column IN
        SELECT DISTINCT ON (s.view_name, v.attnum)
            s.view_name,
            v.attname AS name,
            col_description(t.attrelid, t.attnum) AS said
        FROM (
            VALUES
            (1, 'internal.trips_of_deals'::regclass, 'public.mt5_trips'::regclass),
            (1, 'internal.orders_of_trips', 'public.trading_orders'),
            (2, 'internal.orders_of_trips', 'public.mt5_trips'),
            (1, 'internal.operations_of_deals', 'public.balance_operations'),
            (2, 'internal.operations_of_deals', 'public.trading_deals')
        ) AS s (place, view_name, table_name)
        INNER JOIN pg_catalog.pg_attribute AS v ON s.view_name = v.attrelid
        INNER JOIN pg_catalog.pg_attribute AS t
            ON s.table_name = t.attrelid AND v.attname = t.attname
        WHERE v.attnum > 0
        ORDER BY s.view_name, v.attnum, s.place
    LOOP
        EXECUTE format(
            'COMMENT ON COLUMN %s.%I IS %L', v_column.view_name, v_column.name, v_column.said
        );
    END LOOP;
END
$$;
