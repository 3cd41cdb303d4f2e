-- 3380_mt5_trip_results.sql: trips with holding time and excursion.

CALL deploy.become_owner();

-- Excursion comes from the M1 bars that lie wholly within the trip, so that no price from before or
-- after counts, and from the trip's own prices; without such bars it is NULL.
CREATE OR REPLACE VIEW public.mt5_trip_results
WITH (security_invoker = TRUE) AS
SELECT
    t.account_id,
    t.position_id,
    t.leg,
    t.symbol,
    coalesce(m.canonical_symbol, t.symbol) AS canonical_symbol,
    t.side,
    t.magic,
    t.strategy_id,
    t.trading_order_id,
    t.volume_opened,
    t.volume_closed,
    t.open_price,
    t.close_price,
    t.profit,
    t.commission,
    t.swap,
    t.fee,
    t.net_result,
    t.opened_at,
    t.closed_at,
    t.closed_at - t.opened_at AS holding_time,
    CASE t.side
        WHEN 'BUY' THEN greatest(b.high, t.open_price, t.close_price) - t.open_price
        WHEN 'SELL' THEN t.open_price - least(b.low, t.open_price, t.close_price)
    END + 0 * b.high AS favourable_excursion,
    CASE t.side
        WHEN 'BUY' THEN t.open_price - least(b.low, t.open_price, t.close_price)
        WHEN 'SELL' THEN greatest(b.high, t.open_price, t.close_price) - t.open_price
    END + 0 * b.high AS adverse_excursion,
    t.is_whole,
    t.time_ambiguous
FROM public.mt5_trips AS t
LEFT JOIN public.mt5_symbol_map AS m ON t.account_id = m.account_id AND t.symbol = m.symbol
LEFT JOIN LATERAL (
    SELECT
        max(d.high) AS high,
        min(d.low) AS low
    FROM public.market_data AS d
    WHERE
        d.symbol = coalesce(m.canonical_symbol, t.symbol)
        AND d.timeframe = 'M1'
        AND d.timestamp >= t.opened_at
        AND d.timestamp <= t.closed_at - interval '1 minute'
) AS b ON TRUE;

COMMENT ON VIEW public.mt5_trip_results IS
'Trips of the accounts with net result, holding time and excursion; open ones have no closed_at.';
COMMENT ON COLUMN public.mt5_trip_results.account_id IS 'Trading account.';
COMMENT ON COLUMN public.mt5_trip_results.position_id IS 'Position, for life.';
COMMENT ON COLUMN public.mt5_trip_results.leg IS
'Leg of the position: 1, and one more after each reversal.';
COMMENT ON COLUMN public.mt5_trip_results.symbol IS 'Symbol as the broker spells it.';
COMMENT ON COLUMN public.mt5_trip_results.canonical_symbol IS 'Symbol as in market_data.';
COMMENT ON COLUMN public.mt5_trip_results.side IS 'BUY or SELL; NULL for money alone.';
COMMENT ON COLUMN public.mt5_trip_results.magic IS 'Magic number of the opening deal.';
COMMENT ON COLUMN public.mt5_trip_results.strategy_id IS 'Strategy of that magic number.';
COMMENT ON COLUMN public.mt5_trip_results.trading_order_id IS 'Row in trading_orders.';
COMMENT ON COLUMN public.mt5_trip_results.volume_opened IS 'Sum of opening volumes, lots.';
COMMENT ON COLUMN public.mt5_trip_results.volume_closed IS 'Sum of closing volumes, lots.';
COMMENT ON COLUMN public.mt5_trip_results.open_price IS 'Mean price of opening by volume.';
COMMENT ON COLUMN public.mt5_trip_results.close_price IS 'Mean price of closing by volume.';
COMMENT ON COLUMN public.mt5_trip_results.profit IS 'Result before costs, account currency.';
COMMENT ON COLUMN public.mt5_trip_results.commission IS 'Commission, account currency.';
COMMENT ON COLUMN public.mt5_trip_results.swap IS 'Swap, account currency.';
COMMENT ON COLUMN public.mt5_trip_results.fee IS 'Fees, account currency.';
COMMENT ON COLUMN public.mt5_trip_results.net_result IS
'profit + commission + swap + fee, account currency.';
COMMENT ON COLUMN public.mt5_trip_results.opened_at IS 'Time of opening, UTC.';
COMMENT ON COLUMN public.mt5_trip_results.closed_at IS 'Time of closing, UTC.';
COMMENT ON COLUMN public.mt5_trip_results.holding_time IS 'Time from opening to closing.';
COMMENT ON COLUMN public.mt5_trip_results.favourable_excursion IS
'Furthest the price went in favour of the trip, quote currency, not below 0; NULL without bars.';
COMMENT ON COLUMN public.mt5_trip_results.adverse_excursion IS
'Furthest the price went against the trip, quote currency, not below 0; NULL without bars.';
COMMENT ON COLUMN public.mt5_trip_results.is_whole IS 'FALSE when deals are missing.';
COMMENT ON COLUMN public.mt5_trip_results.time_ambiguous IS
'TRUE when a time may be an hour late.';

CREATE OR REPLACE VIEW public.mt5_trip_links
WITH (security_invoker = TRUE) AS
SELECT
    t.account_id,
    o.close_by_order,
    t.position_id,
    t.leg,
    x.position_id AS other_position_id,
    x.leg AS other_leg
FROM public.mt5_trips AS t
CROSS JOIN LATERAL unnest(t.close_by_orders) AS o (close_by_order)
INNER JOIN public.trading_deals AS d
    ON
        t.account_id = d.account_id
        AND o.close_by_order = d.order_ticket
        AND t.position_id <> d.position_id
        AND d.entry = 3
INNER JOIN public.mt5_trips AS x
    ON
        d.account_id = x.account_id
        AND d.position_id = x.position_id
        AND x.close_by_orders @> ARRAY[o.close_by_order];

COMMENT ON VIEW public.mt5_trip_links IS
'Pairs of trips that an order closed against each other, each pair from both sides.';
COMMENT ON COLUMN public.mt5_trip_links.account_id IS 'Trading account.';
COMMENT ON COLUMN public.mt5_trip_links.close_by_order IS 'Order that closed both trips.';
COMMENT ON COLUMN public.mt5_trip_links.position_id IS 'Position of the one trip.';
COMMENT ON COLUMN public.mt5_trip_links.leg IS 'Leg of the one trip.';
COMMENT ON COLUMN public.mt5_trip_links.other_position_id IS 'Position of the other trip.';
COMMENT ON COLUMN public.mt5_trip_links.other_leg IS 'Leg of the other trip.';
