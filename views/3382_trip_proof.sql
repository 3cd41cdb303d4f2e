-- 3382_trip_proof.sql: the proof that trips, their orders and balance operations follow the deals.

CALL deploy.become_owner();

-- Rows by the deals EXCEPT rows of the tables: all columns of trips and balance operations, and of
-- orders the columns that the deals alone decide. Type, stop, target and strategy may be the API's.
-- Not security_invoker: rubi_monitor counts rows that it may not read.
CREATE OR REPLACE VIEW monitoring.trip_violations AS
WITH trips AS MATERIALIZED (
    SELECT
        v.account_id,
        v.position_id,
        v.leg,
        v.deals,
        v.magic,
        v.strategy_id,
        v.open_order,
        v.opened_at,
        v.closed_at,
        v.opened_msc,
        v.closed_msc,
        v.time_ambiguous,
        v.is_whole,
        v.volume_opened,
        v.volume_closed,
        v.open_price,
        v.close_price,
        v.profit,
        v.commission,
        v.swap,
        v.fee,
        v.symbol,
        v.side,
        v.close_by_orders
    FROM internal.trips_of_deals AS v
),

trip_problems AS (
    SELECT
        v.account_id,
        v.position_id,
        v.leg,
        v.deals,
        v.magic,
        v.strategy_id,
        v.open_order,
        v.opened_at,
        v.closed_at,
        v.opened_msc,
        v.closed_msc,
        v.time_ambiguous,
        v.is_whole,
        v.volume_opened,
        v.volume_closed,
        v.open_price,
        v.close_price,
        v.profit,
        v.commission,
        v.swap,
        v.fee,
        v.symbol,
        v.side,
        v.close_by_orders
    FROM trips AS v
    EXCEPT
    SELECT
        t.account_id,
        t.position_id,
        t.leg,
        t.deals,
        t.magic,
        t.strategy_id,
        t.open_order,
        t.opened_at,
        t.closed_at,
        t.opened_msc,
        t.closed_msc,
        t.time_ambiguous,
        t.is_whole,
        t.volume_opened,
        t.volume_closed,
        t.open_price,
        t.close_price,
        t.profit,
        t.commission,
        t.swap,
        t.fee,
        t.symbol,
        t.side,
        t.close_by_orders
    FROM public.mt5_trips AS t
),

order_problems AS (
    SELECT
        v.position_id,
        v.leg,
        v.id,
        v.account_id,
        v.mt5_position_id,
        v.symbol,
        v.volume,
        v.open_price,
        v.close_price,
        v.profit,
        v.commission,
        v.swap,
        v.opened_at,
        v.closed_at,
        v.time_ambiguous
    FROM internal.orders_of_trips AS v
    EXCEPT
    SELECT
        t.position_id,
        t.leg,
        o.id,
        o.account_id,
        o.mt5_position_id,
        o.symbol,
        o.volume,
        o.open_price,
        o.close_price,
        o.profit,
        o.commission,
        o.swap,
        o.opened_at,
        o.closed_at,
        o.time_ambiguous
    FROM public.mt5_trips AS t
    INNER JOIN public.trading_orders AS o ON t.trading_order_id = o.id
),

operation_problems AS (
    SELECT
        v.user_id,
        v.account_id,
        v.mt5_deal_id,
        v.amount,
        v.occurred_at
    FROM internal.operations_of_deals AS v
    EXCEPT
    SELECT
        b.user_id,
        b.account_id,
        b.mt5_deal_id,
        b.amount,
        b.occurred_at
    FROM public.balance_operations AS b
)

SELECT
    p.account_id,
    p.position_id,
    p.leg,
    NULL::bigint AS trading_order_id,
    NULL::text AS mt5_deal_id,
    'trip is not what its deals say' AS problem
FROM trip_problems AS p
UNION ALL
SELECT
    t.account_id,
    t.position_id,
    t.leg,
    t.trading_order_id,
    NULL AS mt5_deal_id,
    'trip has no deals' AS problem
FROM public.mt5_trips AS t
LEFT JOIN trips AS v
    ON t.account_id = v.account_id AND t.position_id = v.position_id AND t.leg = v.leg
WHERE v.leg IS NULL
UNION ALL
SELECT
    p.account_id,
    p.position_id,
    p.leg,
    p.id AS trading_order_id,
    NULL AS mt5_deal_id,
    'order is not what its trip says' AS problem
FROM order_problems AS p
UNION ALL
SELECT
    o.account_id,
    NULL AS position_id,
    NULL AS leg,
    o.id AS trading_order_id,
    NULL AS mt5_deal_id,
    'order made from deals has no trip' AS problem
FROM public.trading_orders AS o
LEFT JOIN public.mt5_trips AS t ON o.id = t.trading_order_id
WHERE o.made_by = 'deals' AND t.leg IS NULL
UNION ALL
SELECT
    p.account_id,
    NULL AS position_id,
    NULL AS leg,
    NULL AS trading_order_id,
    p.mt5_deal_id,
    'balance operation is not what its deal says' AS problem
FROM operation_problems AS p
UNION ALL
-- an operation whose deal isn't stored was entered by hand
SELECT
    b.account_id,
    NULL AS position_id,
    NULL AS leg,
    NULL AS trading_order_id,
    b.mt5_deal_id,
    'deal moves no balance, and is an operation' AS problem
FROM public.balance_operations AS b
INNER JOIN public.trading_deals AS d
    ON b.account_id = d.account_id AND b.mt5_deal_id = d.ticket::text
LEFT JOIN internal.operations_of_deals AS v
    ON d.account_id = v.account_id AND d.ticket = v.ticket
WHERE v.ticket IS NULL;

COMMENT ON VIEW monitoring.trip_violations IS
'Trips, orders of trips and balance operations that differ from the deals. No row when all is
well.';
COMMENT ON COLUMN monitoring.trip_violations.account_id IS 'Trading account.';
COMMENT ON COLUMN monitoring.trip_violations.position_id IS
'Position, for life; NULL for rows of no position.';
COMMENT ON COLUMN monitoring.trip_violations.leg IS 'Leg of the position, from 1.';
COMMENT ON COLUMN monitoring.trip_violations.trading_order_id IS
'Row in trading_orders, where the problem is one of orders.';
COMMENT ON COLUMN monitoring.trip_violations.mt5_deal_id IS
'Deal, where the problem is one of balance operations.';
COMMENT ON COLUMN monitoring.trip_violations.problem IS 'Both sides of the difference.';
