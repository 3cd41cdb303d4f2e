-- 3311_server_clock_readings.sql: what servers' clocks were last seen to show, and what rules say.

CALL deploy.become_owner();

-- Not security_invoker: it names servers and nobody's data, for rubi_monitor, who has no right on
-- the tables.
CREATE OR REPLACE VIEW monitoring.server_clocks AS
SELECT
    r.server,
    c.clock,
    r.minutes,
    (
        date_part(
            'epoch', public.utc_to_clock(r.last_at, c.clock) - (r.last_at AT TIME ZONE 'UTC')
        ) / 60
    )::integer AS rule_minutes,
    r.last_at,
    r.symbol
FROM public.mt5_clock_readings AS r
LEFT JOIN LATERAL (
    SELECT s.clock
    FROM public.mt5_server_clocks AS s
    WHERE
        s.server = r.server
        AND s.valid_from <= (r.last_at AT TIME ZONE 'UTC') + make_interval(mins => r.minutes)
    ORDER BY s.valid_from DESC
    LIMIT 1
) AS c ON TRUE
WHERE NOT EXISTS (
    SELECT FROM public.mt5_clock_readings AS x
    WHERE x.server = r.server AND x.first_at > r.first_at
);
COMMENT ON VIEW monitoring.server_clocks IS
'The latest reading of each trade server''s clock beside its rule in mt5_server_clocks. Where both
differ, times of deals, orders and bars are wrong by the difference.';
COMMENT ON COLUMN monitoring.server_clocks.server IS 'Trade server.';
COMMENT ON COLUMN monitoring.server_clocks.clock IS
'Rule that held when the clock was read; NULL without one: New York time + 7 hours is taken then.';
COMMENT ON COLUMN monitoring.server_clocks.minutes IS
'Minutes that the clock was seen ahead of UTC.';
COMMENT ON COLUMN monitoring.server_clocks.rule_minutes IS
'Minutes that the clock was ahead by the rule; NULL without a rule.';
COMMENT ON COLUMN monitoring.server_clocks.last_at IS 'When the clock was last read, UTC.';
COMMENT ON COLUMN monitoring.server_clocks.symbol IS 'Symbol whose tick told it.';
