-- 0310_mt5_server_clocks.sql: how the clock of a trade server relates to UTC.

CALL deploy.become_owner();

-- One form serves all rules: server clock = local time in zone + shift. New York + 7 hours is
-- America/New_York with 7 hours, a fixed offset is UTC with the offset, an IANA zone has shift 0.
-- A rule holds until the next one of its server begins, so periods can't overlap and no extension
-- for exclusion constraints is needed.
CREATE TABLE IF NOT EXISTS public.mt5_server_clocks (
    server public.key_text NOT NULL,
    -- squawk-ignore prefer-timestamp-tz
    valid_from timestamp DEFAULT '-infinity' NOT NULL,
    zone public.key_text NOT NULL,
    shift interval DEFAULT '0' NOT NULL,
    CONSTRAINT mt5_server_clocks_pkey PRIMARY KEY (server, valid_from),
    -- -infinity: the rule holds for all time before the next one
    CONSTRAINT mt5_server_clocks_valid_from_not_infinite_check CHECK (valid_from < 'infinity'),
    CONSTRAINT mt5_server_clocks_server_not_blank_check CHECK (server ~ '[^[:space:]]'),
    -- an unknown zone raises invalid_parameter_value here, not at the first deal
    CONSTRAINT mt5_server_clocks_zone_known_check CHECK (
        zone <> '' AND (timestamp '2000-01-01' AT TIME ZONE zone) IS NOT NULL
    ),
    CONSTRAINT mt5_server_clocks_shift_range_check CHECK (
        shift BETWEEN interval '-14 hours' AND interval '14 hours'
    )
);
COMMENT ON TABLE public.mt5_server_clocks IS
'Rules of the trade servers'' clocks: clock = time in zone + shift. A server without a rule runs on
New York time + 7 hours, as most brokers do. After a correction call rederive_mt5_times(server).';
COMMENT ON COLUMN public.mt5_server_clocks.server IS 'Trade server, as in mt5_accounts.server.';
COMMENT ON COLUMN public.mt5_server_clocks.valid_from IS
'First moment of the rule on the server''s own clock; it holds until the server''s next rule.';
COMMENT ON COLUMN public.mt5_server_clocks.zone IS 'IANA zone, such as America/New_York or UTC.';
COMMENT ON COLUMN public.mt5_server_clocks.shift IS 'What the clock is ahead of that zone.';
