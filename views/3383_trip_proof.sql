-- 3383_trip_proof.sql: the proof that trips, their orders and balance operations follow the deals.

CALL deploy.become_owner();

-- To make every trip again took 18 s for 470,000 deals, where the look at versions takes 3. A
-- position whose rows are the same versions as when they were proved is still proved: xmin is
-- another in every new version, by any writer, with triggers or without. The number of rows tells
-- of deletions. A restored dump has the rows of a table in one transaction, whose number may be the
-- one of an earlier restore: what another server proved is not proved.
-- Not security_invoker: the proof reads it for rubi_monitor, who may not read deals.
CREATE OR REPLACE VIEW internal.position_marks AS
WITH of_deals AS (
    SELECT
        d.account_id,
        d.position_id,
        count(*) AS deals,
        sum(hashint8(d.xmin::text::bigint)) AS deal_versions
    FROM public.trading_deals AS d
    WHERE d.position_id > 0
    GROUP BY d.account_id, d.position_id
),

of_trips AS (
    SELECT
        t.account_id,
        t.position_id,
        count(*) AS trips,
        sum(hashint8(t.xmin::text::bigint)) AS trip_versions,
        count(o.id) AS orders,
        coalesce(sum(hashint8(o.xmin::text::bigint)), 0) AS order_versions
    FROM public.mt5_trips AS t
    LEFT JOIN public.trading_orders AS o ON t.trading_order_id = o.id
    GROUP BY t.account_id, t.position_id
),

of_types AS (
    SELECT
        sum(hashint8(y.xmin::text::bigint)) AS versions,
        (SELECT c.system_identifier FROM pg_control_system() AS c) AS server
    FROM public.mt5_deal_types AS y
),

of_magics AS (
    SELECT
        m.account_id,
        sum(hashint8(m.xmin::text::bigint)) AS versions
    FROM public.mt5_magic_strategies AS m
    GROUP BY m.account_id
)

SELECT
    coalesce(d.account_id, t.account_id) AS account_id,
    coalesce(d.position_id, t.position_id) AS position_id,
    ARRAY[
        d.deals,
        d.deal_versions,
        t.trips,
        t.trip_versions,
        t.orders,
        t.order_versions,
        y.versions,
        m.versions,
        y.server
    ] AS marks
FROM of_deals AS d
FULL JOIN of_trips AS t ON d.account_id = t.account_id AND d.position_id = t.position_id
CROSS JOIN of_types AS y
LEFT JOIN of_magics AS m ON coalesce(d.account_id, t.account_id) = m.account_id;

COMMENT ON VIEW internal.position_marks IS
'The versions of all rows that a proof of a position''s trips reads.';
COMMENT ON COLUMN internal.position_marks.account_id IS 'Trading account.';
COMMENT ON COLUMN internal.position_marks.position_id IS 'Position, for life.';
COMMENT ON COLUMN internal.position_marks.marks IS
'Number of deals and a sum over their versions, the same of trips and of their orders, sums over
mt5_deal_types and the account''s mt5_magic_strategies, and the server''s identity.';

-- Not security_invoker: like the view it reads.
CREATE OR REPLACE VIEW internal.unproved_positions AS
SELECT
    m.account_id,
    m.position_id,
    m.marks
FROM internal.position_marks AS m
LEFT JOIN internal.proved_positions AS p
    ON m.account_id = p.account_id AND m.position_id = p.position_id
WHERE m.marks IS DISTINCT FROM p.marks;

COMMENT ON VIEW internal.unproved_positions IS
'Positions of which a row has changed since their trips were proved.';
COMMENT ON COLUMN internal.unproved_positions.account_id IS 'Trading account.';
COMMENT ON COLUMN internal.unproved_positions.position_id IS 'Position, for life.';
COMMENT ON COLUMN internal.unproved_positions.marks IS 'See internal.position_marks.';

-- Rows by the deals EXCEPT rows of the tables: all columns of trips and balance operations, and of
-- orders the columns that the deals alone decide. Type, stop, target and strategy may be the API's.
-- The columns of a trip are named here in the order of internal.trips_of_deals.
-- Not security_invoker: rubi_monitor counts rows that it may not read.
CREATE OR REPLACE VIEW monitoring.trip_violations AS
WITH unproved AS MATERIALIZED (
    SELECT
        u.account_id,
        u.position_id
    FROM internal.unproved_positions AS u
),

-- a look-up for each of some, one walk over all deals for many: three times as fast per position
size AS (
    SELECT count(*) <= 10000 AS is_small
    FROM unproved
),

looked_up AS (
    SELECT v.*
    FROM unproved AS u
    INNER JOIN LATERAL (
        SELECT v.*
        FROM internal.trips_of_deals AS v
        WHERE v.account_id = u.account_id AND v.position_id = u.position_id
        ORDER BY v.leg -- keeps it a look-up
    ) AS v ON TRUE
    WHERE (SELECT s.is_small FROM size AS s)
),

trips AS MATERIALIZED (
    SELECT l.*
    FROM looked_up AS l
    UNION ALL
    SELECT v.*
    FROM internal.trips_of_deals AS v
    INNER JOIN unproved AS u ON v.account_id = u.account_id AND v.position_id = u.position_id
    WHERE NOT (SELECT s.is_small FROM size AS s)
),

stored AS MATERIALIZED (
    SELECT t.*
    FROM public.mt5_trips AS t
    INNER JOIN unproved AS u ON t.account_id = u.account_id AND t.position_id = u.position_id
),

trip_problems AS (
    SELECT v.*
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
    FROM stored AS t
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
    INNER JOIN unproved AS u ON v.account_id = u.account_id AND v.position_id = u.position_id
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
    FROM stored AS t
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
FROM stored AS t
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
    ON
        b.account_id = d.account_id
        AND b.mt5_deal_id = d.ticket::text
        -- a look-up by key: operations are few
        AND d.ticket = CASE
            WHEN b.mt5_deal_id ~ '^[0-9]{1,19}$'
                THEN least(b.mt5_deal_id::numeric, 9223372036854775807)::bigint
        END
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
