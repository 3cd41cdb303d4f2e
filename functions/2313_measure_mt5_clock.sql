-- 2313_measure_mt5_clock.sql: measures servers' clocks, and finds rules that fit what was measured.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION public.mt5_clock_minutes(p_server text, p_at timestamptz)
RETURNS integer
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (
        date_part('epoch', public.utc_to_clock(p_at, c.clock) - (p_at AT TIME ZONE 'UTC')) / 60
    )::integer
    FROM public.mt5_server_clocks AS c
    WHERE c.server = p_server AND c.valid_from <= public.utc_to_clock(p_at, c.clock)
    ORDER BY c.valid_from DESC
    LIMIT 1
$$;
COMMENT ON FUNCTION public.mt5_clock_minutes(text, timestamptz) IS
'Minutes that a server''s clock is ahead of UTC at a moment, by its rule in
mt5_server_clocks; NULL without a rule.';
REVOKE ALL ON FUNCTION public.mt5_clock_minutes(text, timestamptz) FROM public;

-- Of several gateways at one server the later reading wins; one that comes late out of a spool
-- begins a run of its own only where it lies after the latest.
CREATE OR REPLACE FUNCTION public.measure_mt5_clock(
    p_server text,
    p_symbol text,
    p_minutes integer,
    p_seen_at timestamptz
)
RETURNS integer
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the gateway's role has no rights on tables
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_last public.mt5_clock_readings;
BEGIN
    PERFORM internal.check_mt5_taken_at(p_seen_at);
    SELECT r.* INTO v_last
    FROM public.mt5_clock_readings AS r
    WHERE r.server = p_server
    ORDER BY r.first_at DESC
    LIMIT 1
    FOR UPDATE;
    IF v_last.minutes = p_minutes AND p_seen_at >= v_last.first_at THEN
        UPDATE public.mt5_clock_readings AS r
        SET
            last_at = greatest(r.last_at, p_seen_at),
            times = r.times + 1,
            symbol = p_symbol
        WHERE r.server = p_server AND r.first_at = v_last.first_at;
    ELSIF v_last.server IS NULL OR p_seen_at > v_last.last_at THEN
        INSERT INTO public.mt5_clock_readings (server, first_at, last_at, minutes, symbol)
        VALUES (p_server, p_seen_at, p_seen_at, p_minutes, p_symbol)
        ON CONFLICT ON CONSTRAINT mt5_clock_readings_pkey DO NOTHING;
    END IF;
    RETURN public.mt5_clock_minutes(p_server, p_seen_at);
END
$$;
COMMENT ON FUNCTION public.measure_mt5_clock(text, text, integer, timestamptz) IS
'Stores that a server''s clock was p_minutes ahead of UTC, as a tick of p_symbol showed; answers
what its rule says of that moment, NULL without a rule. Raises RB053.';
REVOKE ALL ON FUNCTION public.measure_mt5_clock(text, text, integer, timestamptz) FROM public;

-- Clocks that brokers are known to use, the most usual first, then fixed hours. Half and quarter
-- hours are zones of their own. The ends of each run must fit: the longer a server was measured,
-- the fewer clocks are left.
CREATE OR REPLACE FUNCTION public.propose_mt5_clocks(p_server text)
RETURNS SETOF text
LANGUAGE sql
STABLE
PARALLEL SAFE
SECURITY DEFINER -- the gateway's role has no rights on tables
SET search_path = pg_catalog, pg_temp
AS $$
    WITH measured AS (
        SELECT u.at, r.minutes
        FROM public.mt5_clock_readings AS r
        CROSS JOIN LATERAL unnest(ARRAY[r.first_at::timestamptz, r.last_at]) AS u (at)
        WHERE r.server = p_server
            AND r.last_at > (
                SELECT max(x.last_at) - interval '400 days'
                FROM public.mt5_clock_readings AS x
                WHERE x.server = p_server
            )
    )
    SELECT k.clock
    FROM (
        SELECT z.clock, z.n
        FROM unnest(ARRAY[
            'America/New_York+7', 'Europe/Athens', 'Europe/London', 'Europe/Berlin',
            'Europe/Moscow', 'America/New_York', 'America/Chicago', 'Asia/Dubai', 'Asia/Tokyo',
            'Asia/Singapore', 'Australia/Sydney', 'Africa/Johannesburg', 'America/Sao_Paulo',
            'Asia/Kolkata', 'Asia/Tehran', 'Asia/Kabul', 'Asia/Kathmandu', 'Asia/Yangon',
            'Australia/Adelaide', 'Australia/Darwin'
        ]) WITH ORDINALITY AS z (clock, n)
        UNION ALL
        SELECT
            'UTC' || CASE WHEN h.n > 0 THEN '+' || h.n WHEN h.n < 0 THEN h.n::text ELSE '' END,
            100 + abs(h.n)
        FROM generate_series(-12, 14) AS h (n)
    ) AS k
    WHERE EXISTS (SELECT FROM measured AS m)
        AND NOT EXISTS (
            SELECT FROM measured AS m
            WHERE public.utc_to_clock(m.at, k.clock) - (m.at AT TIME ZONE 'UTC')
                <> make_interval(mins => m.minutes)
        )
    ORDER BY k.n
$$;
COMMENT ON FUNCTION public.propose_mt5_clocks(text) IS
'Clocks that fit all that was measured of a server in the 400 days up to the latest reading, the
most usual first; no row without a reading, or where none fits.';
REVOKE ALL ON FUNCTION public.propose_mt5_clocks(text) FROM public;

CREATE OR REPLACE FUNCTION public.set_mt5_server_clock(
    p_server text,
    p_clock text,
    p_minutes integer DEFAULT NULL
)
RETURNS text
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the gateway's role has no rights on tables
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_clock text;
BEGIN
    -- two gateways of one server may begin together
    PERFORM pg_advisory_xact_lock(hashtextextended('mt5_server_clocks ' || p_server, 0));
    SELECT c.clock INTO v_clock
    FROM public.mt5_server_clocks AS c
    WHERE c.server = p_server
    ORDER BY c.valid_from DESC
    LIMIT 1;
    IF FOUND THEN
        RETURN v_clock;
    END IF;
    INSERT INTO public.mt5_server_clocks (server, clock)
    VALUES (p_server, p_clock);
    IF public.mt5_clock_minutes(p_server, now()) <> p_minutes THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB080',
            MESSAGE = format(
                'the clock of %s shows UTC and %s minutes, %s would show %s', p_server, p_minutes,
                p_clock, public.mt5_clock_minutes(p_server, now())
            ),
            HINT = 'propose_mt5_clocks(server) lists clocks that fit.';
    END IF;
    RETURN p_clock;
END
$$;
COMMENT ON FUNCTION public.set_mt5_server_clock(text, text, integer) IS
'Makes p_clock the rule of a server that has none; answers the server''s latest rule, which may be
another one. Raises RB080 where it is not p_minutes ahead of UTC now, as was measured. A rule that
is there is corrected in mt5_server_clocks.';
REVOKE ALL ON FUNCTION public.set_mt5_server_clock(text, text, integer) FROM public;
