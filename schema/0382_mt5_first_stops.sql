-- 0382_mt5_first_stops.sql: stops and targets of positions when they appeared, for R of trips.

CALL deploy.become_owner();

-- Not read from mt5_events, which leave for the archive: a trade keeps its R. Not in mt5_trips: a
-- position is mostly seen before its deals, and one that is netted has several trips. So nothing
-- here can be proved by deals, and by events only while these are stored.
CREATE TABLE IF NOT EXISTS public.mt5_first_stops (
    account_id bigint NOT NULL,
    position_id public.mt5_ticket NOT NULL,
    taken_at public.event_time NOT NULL,
    side public.position_type NOT NULL,
    stop public.trading_price,
    target public.trading_price,
    CONSTRAINT mt5_first_stops_pkey PRIMARY KEY (account_id, position_id, taken_at),
    CONSTRAINT mt5_first_stops_account_id_fkey FOREIGN KEY (account_id)
    REFERENCES public.mt5_accounts (id) ON DELETE CASCADE,
    CONSTRAINT mt5_first_stops_price_present_check CHECK (
        stop IS NOT NULL OR target IS NOT NULL
    )
);
COMMENT ON TABLE public.mt5_first_stops IS
'Stops and targets that appeared on a position which had none, or that it had when its side turned
or its ticket changed; no later move. Written by the triggers of trading_positions.';
COMMENT ON COLUMN public.mt5_first_stops.account_id IS 'Trading account.';
COMMENT ON COLUMN public.mt5_first_stops.position_id IS 'Position, for life.';
COMMENT ON COLUMN public.mt5_first_stops.taken_at IS
'Time of the picture of positions that showed it first, UTC.';
COMMENT ON COLUMN public.mt5_first_stops.side IS 'BUY (long) or SELL (short).';
COMMENT ON COLUMN public.mt5_first_stops.stop IS
'Stop loss, quote currency; NULL where none appeared.';
COMMENT ON COLUMN public.mt5_first_stops.target IS
'Take profit, quote currency; NULL where none appeared.';
