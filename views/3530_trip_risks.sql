-- 3530_trip_risks.sql: what each trip risked when it was opened, and its result in that unit (R).

CALL deploy.become_owner();

-- The stop is that of the opening order when it was filled; without one the first seen on the
-- position. What is not known stays NULL, and reason says why: no stop is taken from the loss that
-- was made, no value of a price from the result. A trip that several orders opened has several
-- stops: left out.
-- The worth of a price is exact where the price is in account currency and the way of computing is
-- contract size x difference (forex, CFD, stocks), else the tick value told at most a day before
-- the opening.
CREATE OR REPLACE VIEW public.trip_risks
WITH (security_invoker = TRUE) AS
WITH told AS (
    SELECT
        a.user_id,
        a.currency,
        t.account_id,
        t.position_id,
        t.leg,
        t.trading_order_id,
        CASE WHEN g.id IS NULL THEN t.strategy_id ELSE g.strategy_id END AS strategy_id,
        t.symbol,
        t.side,
        t.opened_at,
        t.closed_at,
        t.is_whole AND t.side IS NOT NULL AS is_whole,
        t.volume_opened,
        t.open_price,
        t.close_price,
        t.net_result,
        CASE t.side WHEN 'BUY' THEN 1 WHEN 'SELL' THEN -1 END AS direction,
        coalesce(nullif(o.sl, 0), f.stop) AS stop,
        CASE
            WHEN o.sl <> 0 THEN 'order'
            WHEN f.stop IS NOT NULL THEN 'position'
            WHEN o.sl = 0 THEN 'none'
            ELSE 'unknown'
        END AS stop_source,
        f.stop_seen_at,
        coalesce(nullif(o.tp, 0), f.target) AS target,
        t.deals > CASE WHEN t.closed_at IS NULL THEN 1 ELSE 2 END AND EXISTS (
            SELECT
            FROM public.trading_deals AS d
            WHERE
                d.account_id = t.account_id
                AND d.position_id = t.position_id
                AND d.entry = 0
                AND d.type IN (0, 1)
                AND d.order_ticket <> t.open_order
                -- that open nothing: as in internal.trips_of_deals
                AND coalesce(d.reason, 0) NOT IN (7, 8, 9, 10)
                AND d.time_msc BETWEEN t.opened_msc AND coalesce(t.closed_msc, d.time_msc)
        ) AS has_several_orders,
        coalesce(v.symbol, l.symbol) IS NOT NULL AS has_terms,
        CASE
            WHEN
                coalesce(v.currency_profit, l.currency_profit) = a.currency
                AND coalesce(v.trade_calc_mode, l.trade_calc_mode) IN (0, 2, 3, 4, 5, 32)
                THEN nullif(coalesce(v.trade_contract_size, l.trade_contract_size), 0)
        END AS contract_value,
        CASE
            WHEN v.seen_at >= t.opened_at - interval '1 day'
                THEN
                    coalesce(nullif(v.trade_tick_value_loss, 0), nullif(v.trade_tick_value, 0))
                    / nullif(v.trade_tick_size, 0)
        END AS tick_value,
        greatest(t.opened_at - v.seen_at, interval '0') AS tick_value_age
    FROM public.mt5_trips AS t
    INNER JOIN public.mt5_accounts AS a ON t.account_id = a.id
    LEFT JOIN public.trading_orders AS g ON t.trading_order_id = g.id
    LEFT JOIN public.mt5_orders AS o ON t.account_id = o.account_id AND t.open_order = o.ticket
    -- a trade whose order tells the stop costs no look-up
    LEFT JOIN LATERAL (
        SELECT
            (array_agg(k.stop ORDER BY k.taken_at) FILTER (WHERE k.stop IS NOT NULL))[1] AS stop,
            (array_agg(k.target ORDER BY k.taken_at) FILTER (WHERE k.target IS NOT NULL))[1]
                AS target,
            min(k.taken_at) FILTER (WHERE k.stop IS NOT NULL) AS stop_seen_at
        FROM public.mt5_first_stops AS k
        WHERE
            coalesce(o.sl, 0) = 0
            AND k.account_id = t.account_id
            AND k.position_id = t.position_id
            AND k.side = t.side
            AND k.taken_at >= CASE t.leg
                -- The clocks of terminal and broker differ. An earlier leg of the same side ended
                -- before the leg between.
                WHEN 1 THEN t.opened_at - interval '1 day' ELSE t.opened_at - interval '1 minute'
            END
            AND k.taken_at <= coalesce(t.closed_at, 'infinity')
    ) AS f ON TRUE
    LEFT JOIN LATERAL (
        SELECT k.*
        FROM public.mt5_tick_values AS k
        WHERE
            k.account_id = t.account_id
            AND k.symbol = t.symbol
            AND k.taken_at <= t.opened_at
        ORDER BY k.taken_at DESC
        LIMIT 1
    ) AS v ON TRUE
    -- terms are hardly ever changed: the first that were told count for trades before them
    LEFT JOIN LATERAL (
        SELECT k.*
        FROM public.mt5_tick_values AS k
        WHERE
            v.symbol IS NULL
            AND k.account_id = t.account_id
            AND k.symbol = t.symbol
            AND k.taken_at > t.opened_at
        ORDER BY k.taken_at ASC
        LIMIT 1
    ) AS l ON TRUE
),

measured AS (
    SELECT
        w.*,
        w.direction * (w.open_price - w.stop) AS stop_distance,
        w.direction * (w.target - w.open_price) AS target_distance,
        CASE WHEN w.closed_at IS NOT NULL THEN w.direction * (w.close_price - w.open_price) END
            AS price_move,
        coalesce(w.contract_value, w.tick_value) AS price_value
    FROM told AS w
),

judged AS (
    SELECT
        m.*,
        CASE
            WHEN NOT m.is_whole THEN 'not_whole'
            WHEN m.has_several_orders THEN 'several_orders'
            WHEN m.stop_source = 'unknown' THEN 'unknown_stop'
            WHEN m.stop_source = 'none' THEN 'no_stop'
            WHEN m.stop_distance <= 0 THEN 'stop_beyond_entry'
        END AS stop_reason,
        CASE
            WHEN NOT m.has_terms THEN 'no_terms'
            WHEN m.price_value IS NULL THEN 'no_tick_value'
        END AS value_reason
    FROM measured AS m
)

SELECT
    j.user_id,
    j.account_id,
    j.position_id,
    j.leg,
    j.trading_order_id,
    j.strategy_id,
    j.symbol,
    j.side,
    j.opened_at,
    j.closed_at,
    j.currency,
    j.volume_opened,
    j.open_price,
    j.close_price,
    j.net_result,
    j.stop,
    j.stop_source,
    j.stop_seen_at,
    j.target,
    CASE WHEN j.stop_reason IS NULL THEN j.stop_distance END AS stop_distance,
    j.price_move,
    j.price_value,
    CASE
        WHEN j.contract_value IS NOT NULL THEN 'contract'
        WHEN j.tick_value IS NOT NULL THEN 'tick_value'
    END AS risk_source,
    CASE
        WHEN j.contract_value IS NULL AND j.tick_value IS NOT NULL THEN j.tick_value_age
    END AS tick_value_age,
    round(
        CASE WHEN j.stop_reason IS NULL THEN j.stop_distance * j.price_value * j.volume_opened END,
        8
    ) AS risk,
    CASE
        WHEN j.stop_reason IS NULL AND j.target_distance > 0
            THEN j.target_distance / j.stop_distance
    END AS planned_r,
    CASE
        WHEN j.stop_reason IS NULL AND j.closed_at IS NOT NULL
            THEN j.net_result / (j.stop_distance * j.price_value * j.volume_opened)
    END AS r,
    CASE WHEN j.stop_reason IS NULL THEN j.price_move / j.stop_distance END AS r_of_prices,
    coalesce(
        j.stop_reason, j.value_reason, CASE WHEN j.closed_at IS NULL THEN 'open' END
    ) AS reason,
    coalesce(j.stop_reason, CASE WHEN j.closed_at IS NULL THEN 'open' END) AS reason_of_prices
FROM judged AS j;
COMMENT ON VIEW public.trip_risks IS
'Trips with the stop they were opened with, what they risked by that, and their result as a multiple
of the risk (R, after Van K. Tharp). NULL where a part is not known, and then the reason.';
COMMENT ON COLUMN public.trip_risks.user_id IS 'Owner.';
COMMENT ON COLUMN public.trip_risks.account_id IS 'Trading account.';
COMMENT ON COLUMN public.trip_risks.position_id IS 'Position, for life.';
COMMENT ON COLUMN public.trip_risks.leg IS
'Leg of the position: 1, and one more after each reversal.';
COMMENT ON COLUMN public.trip_risks.trading_order_id IS 'Row in trading_orders.';
COMMENT ON COLUMN public.trip_risks.strategy_id IS
'Strategy the result counts for, as in trading_orders: the order''s or its signal''s, else
that of the magic number; NULL for none.';
COMMENT ON COLUMN public.trip_risks.symbol IS 'Symbol as the broker spells it.';
COMMENT ON COLUMN public.trip_risks.side IS 'BUY or SELL; NULL for money alone.';
COMMENT ON COLUMN public.trip_risks.opened_at IS 'Time of opening, UTC.';
COMMENT ON COLUMN public.trip_risks.closed_at IS 'Time of closing, UTC; NULL while open.';
COMMENT ON COLUMN public.trip_risks.currency IS 'Currency of the money columns.';
COMMENT ON COLUMN public.trip_risks.volume_opened IS 'Sum of opening volumes, lots.';
COMMENT ON COLUMN public.trip_risks.open_price IS 'Mean price of opening by volume.';
COMMENT ON COLUMN public.trip_risks.close_price IS 'Mean price of closing by volume.';
COMMENT ON COLUMN public.trip_risks.net_result IS
'profit + commission + swap + fee, account currency; so far, while open.';
COMMENT ON COLUMN public.trip_risks.stop IS 'Stop loss of the opening, quote currency.';
COMMENT ON COLUMN public.trip_risks.stop_source IS
'order: of the order that opened it, as it was filled. position: the first seen on the position.
none: the order had none, and none was seen. unknown: neither order nor position tell.';
COMMENT ON COLUMN public.trip_risks.stop_seen_at IS
'When the stop was first seen on the position, UTC; NULL for other sources.';
COMMENT ON COLUMN public.trip_risks.target IS
'Take profit of the opening, of order or position as the stop; NULL for none.';
COMMENT ON COLUMN public.trip_risks.stop_distance IS
'From the opening price to the stop, quote currency, above 0; NULL as reason_of_prices says.';
COMMENT ON COLUMN public.trip_risks.price_move IS
'From opening to closing price in favour of the trip, quote currency; NULL while open.';
COMMENT ON COLUMN public.trip_risks.price_value IS
'Worth of a move of the price by 1 for one lot at opening, account currency.';
COMMENT ON COLUMN public.trip_risks.risk_source IS
'contract: contract size, exact where the price is in account currency. tick_value: tick value
(of a loss) / tick size as told at opening. NULL when neither is known.';
COMMENT ON COLUMN public.trip_risks.tick_value_age IS
'How long before the opening the tick value was last seen, at most a day; 0 when seen after.';
COMMENT ON COLUMN public.trip_risks.risk IS
'stop_distance x price_value x volume_opened: loss at the stop without costs, account currency.';
COMMENT ON COLUMN public.trip_risks.planned_r IS
'Distance of the target / stop_distance; NULL without a target.';
COMMENT ON COLUMN public.trip_risks.r IS 'net_result / risk of a closed trip; NULL: reason.';
COMMENT ON COLUMN public.trip_risks.r_of_prices IS
'price_move / stop_distance: R without costs, which needs no worth of a price.';
COMMENT ON COLUMN public.trip_risks.reason IS
'Why r is NULL: not_whole (deals are missing), several_orders (opened it, each with a stop),
unknown_stop, no_stop, stop_beyond_entry (a stop that secures a profit), no_terms (symbol never
told), no_tick_value (none of the last day before the opening), open; else NULL.';
COMMENT ON COLUMN public.trip_risks.reason_of_prices IS 'Why r_of_prices is NULL, likewise.';
