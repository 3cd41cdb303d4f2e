-- 0380_mt5_trips.sql: trips, made from deals.

CALL deploy.become_owner();

-- A table, not a view: trading_orders is kept from it, and a change of one deal must find the trips
-- of one position only. All rows can be made again from deals (internal.trips_of_deals):
-- rebuild_mt5_trips(account).
CREATE TABLE IF NOT EXISTS public.mt5_trips (
    account_id bigint NOT NULL,
    position_id public.mt5_ticket NOT NULL,
    leg integer NOT NULL,
    deals integer NOT NULL,
    magic bigint,
    strategy_id bigint,
    open_order public.mt5_number,
    trading_order_id bigint,
    opened_at public.event_time NOT NULL,
    closed_at public.event_time,
    opened_msc bigint NOT NULL,
    closed_msc bigint,
    time_ambiguous boolean NOT NULL,
    is_whole boolean NOT NULL,
    volume_opened public.order_volume NOT NULL,
    volume_closed public.order_volume NOT NULL,
    open_price public.trading_price,
    close_price public.trading_price,
    profit public.trading_amount NOT NULL,
    commission public.trading_amount NOT NULL,
    swap public.trading_amount NOT NULL,
    fee public.trading_amount NOT NULL,
    net_result numeric(30, 8) GENERATED ALWAYS AS (profit + commission + swap + fee) STORED,
    symbol public.deal_symbol NOT NULL,
    side public.position_type,
    close_by_orders bigint[],
    CONSTRAINT mt5_trips_pkey PRIMARY KEY (account_id, position_id, leg),
    CONSTRAINT mt5_trips_account_id_fkey FOREIGN KEY (account_id)
    REFERENCES public.mt5_accounts (id),
    CONSTRAINT mt5_trips_trading_order_id_fkey FOREIGN KEY (trading_order_id)
    REFERENCES public.trading_orders (id) ON DELETE SET NULL (trading_order_id),
    CONSTRAINT mt5_trips_trading_order_id_key UNIQUE (trading_order_id),
    CONSTRAINT mt5_trips_leg_positive_check CHECK (leg > 0)
) WITH (fillfactor = 70);

-- A new account is in no statistics of this column: the planner then takes its rows for one, and
-- any index that begins with the account for as good as the one that has the position, so that each
-- batch of a first load read all batches before it. Without statistics an account is half a percent
-- of the table.
ALTER TABLE public.mt5_trips ALTER COLUMN account_id SET STATISTICS 0;

COMMENT ON TABLE public.mt5_trips IS
'Trips of the accounts: a position from opening to flat, or to its reversal, which begins the
next leg. Made from trading_deals, never written by hand.';
COMMENT ON COLUMN public.mt5_trips.account_id IS 'Trading account.';
COMMENT ON COLUMN public.mt5_trips.position_id IS 'Position, for life.';
COMMENT ON COLUMN public.mt5_trips.leg IS
'Leg of the position: 1, and one more after each reversal.';
COMMENT ON COLUMN public.mt5_trips.deals IS 'Number of deals of the trip.';
COMMENT ON COLUMN public.mt5_trips.magic IS 'Magic number of the opening deal.';
COMMENT ON COLUMN public.mt5_trips.strategy_id IS
'Strategy of the magic number at opening; NULL for an unmapped number.';
COMMENT ON COLUMN public.mt5_trips.open_order IS 'Order of the opening deal; NULL when unknown.';
COMMENT ON COLUMN public.mt5_trips.trading_order_id IS 'The trip''s row in trading_orders.';
COMMENT ON COLUMN public.mt5_trips.opened_at IS
'Time of opening, UTC; of the first deal where the opening is missing.';
COMMENT ON COLUMN public.mt5_trips.closed_at IS 'Time of closing, UTC; NULL while open.';
COMMENT ON COLUMN public.mt5_trips.opened_msc IS
'Time of opening, milliseconds since 1970 on the server''s clock.';
COMMENT ON COLUMN public.mt5_trips.closed_msc IS
'Time of closing, milliseconds since 1970 on the server''s clock; NULL while open.';
COMMENT ON COLUMN public.mt5_trips.time_ambiguous IS
'TRUE when one of its times falls into an hour that the server''s clock shows twice.';
COMMENT ON COLUMN public.mt5_trips.is_whole IS
'FALSE when deals are missing: no deal opened the trip, or more was closed than opened.';
COMMENT ON COLUMN public.mt5_trips.volume_opened IS 'Sum of the opening volumes, lots.';
COMMENT ON COLUMN public.mt5_trips.volume_closed IS 'Sum of the closing volumes, lots.';
COMMENT ON COLUMN public.mt5_trips.open_price IS
'Mean price of opening, weighted by volume, quote currency.';
COMMENT ON COLUMN public.mt5_trips.close_price IS
'Mean price of closing so far, weighted by volume, quote currency.';
COMMENT ON COLUMN public.mt5_trips.profit IS 'Result realised so far, account currency.';
COMMENT ON COLUMN public.mt5_trips.commission IS
'Commission so far, account currency; a charge is negative.';
COMMENT ON COLUMN public.mt5_trips.swap IS 'Swap so far, account currency; a charge is negative.';
COMMENT ON COLUMN public.mt5_trips.fee IS 'Fees so far, account currency; a charge is negative.';
COMMENT ON COLUMN public.mt5_trips.net_result IS
'profit + commission + swap + fee, account currency.';
COMMENT ON COLUMN public.mt5_trips.symbol IS 'Symbol as the broker spells it.';
COMMENT ON COLUMN public.mt5_trips.side IS 'BUY (long) or SELL (short); NULL for money alone.';
COMMENT ON COLUMN public.mt5_trips.close_by_orders IS
'Orders that closed the trip by an opposite position; NULL for none.';
