-- 0310_mt5_server_clocks.sql: the clocks of trade servers.

CALL deploy.become_owner();

-- A rule holds until the next one of its server begins, so periods can't overlap and no extension
-- for exclusion constraints is needed.
CREATE TABLE IF NOT EXISTS public.mt5_server_clocks (
    server public.server_name NOT NULL,
    -- squawk-ignore prefer-timestamp-tz
    valid_from timestamp DEFAULT '-infinity' NOT NULL,
    clock public.server_clock NOT NULL,
    CONSTRAINT mt5_server_clocks_pkey PRIMARY KEY (server, valid_from),
    -- -infinity: the rule holds for all time before the next one
    CONSTRAINT mt5_server_clocks_valid_from_not_infinite_check CHECK (valid_from < 'infinity')
);
COMMENT ON TABLE public.mt5_server_clocks IS
'Rules of the trade servers'' clocks. A server without a rule runs on New York time + 7 hours, as
most brokers do. After a correction call rederive_mt5_times(server).';
COMMENT ON COLUMN public.mt5_server_clocks.server IS 'Trade server, as in mt5_accounts.server.';
COMMENT ON COLUMN public.mt5_server_clocks.valid_from IS
'First moment of the rule, included, on the server''s own clock; the rule holds until the server''s
next one begins.';
COMMENT ON COLUMN public.mt5_server_clocks.clock IS
'The clock: America/New_York+7, Europe/Athens, UTC+3.';
