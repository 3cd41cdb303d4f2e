-- 0921_gateway_watermarks.sql: how far the gateway has read what a terminal keeps.

CALL deploy.become_owner();

-- Written in the transaction that stores what was read, so that neither can be there alone.
CREATE TABLE IF NOT EXISTS public.gateway_watermarks (
    account_id bigint NOT NULL,
    read_from_msc bigint NOT NULL,
    read_to_msc bigint NOT NULL,
    read_at public.event_time DEFAULT now() NOT NULL,
    stream text NOT NULL,
    symbol public.deal_symbol DEFAULT '' NOT NULL,
    CONSTRAINT gateway_watermarks_pkey PRIMARY KEY (account_id, stream, symbol),
    CONSTRAINT gateway_watermarks_account_id_fkey FOREIGN KEY (account_id)
    REFERENCES public.mt5_accounts (id) ON DELETE CASCADE,
    CONSTRAINT gateway_watermarks_stream_known_check CHECK (
        stream IN ('deals', 'orders', 'TICK') OR public.is_timeframe(stream)
    ),
    CONSTRAINT gateway_watermarks_symbol_of_a_series_check CHECK (
        (symbol = '') = (stream IN ('deals', 'orders'))
    ),
    CONSTRAINT gateway_watermarks_to_after_from_check CHECK (read_to_msc >= read_from_msc)
) WITH (fillfactor = 70);
COMMENT ON TABLE public.gateway_watermarks IS
'Progress of the gateway in each account''s history and series: a span without a gap. The next
reading begins before its end, so that what a broker adds or corrects later is found.';
COMMENT ON COLUMN public.gateway_watermarks.account_id IS 'Trading account.';
COMMENT ON COLUMN public.gateway_watermarks.read_from_msc IS
'Begin of the span, included, milliseconds since 1970 on the server''s clock.';
COMMENT ON COLUMN public.gateway_watermarks.read_to_msc IS
'End of the span, not included, milliseconds since 1970 on the server''s clock.';
COMMENT ON COLUMN public.gateway_watermarks.read_at IS 'When it last grew, UTC.';
COMMENT ON COLUMN public.gateway_watermarks.stream IS
'deals or orders of the history; an MT5 timeframe for bars; TICK for ticks.';
COMMENT ON COLUMN public.gateway_watermarks.symbol IS
'Symbol as the broker spells it; empty for deals and orders.';
