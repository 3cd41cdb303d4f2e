-- 2490_find_exchange_rate.sql: the worth of one currency in another, by stored bars.

CALL deploy.become_owner();

-- plpgsql, whose plan is kept: within the query below, which is planned at each call, the clock's
-- functions took half of the time.
CREATE OR REPLACE FUNCTION internal.find_bar_end(
    p_begin timestamptz,
    p_length interval,
    p_clock public.server_clock
)
RETURNS timestamptz
LANGUAGE plpgsql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN public.clock_to_utc(public.utc_to_clock(p_begin, p_clock) + p_length, p_clock);
END
$$;
COMMENT ON FUNCTION internal.find_bar_end(timestamptz, interval, public.server_clock) IS
'The moment at which a bar above H1 ends by the clock of its series.';
REVOKE ALL ON FUNCTION
internal.find_bar_end(timestamptz, interval, public.server_clock) FROM public;

-- The open of a bar is known from its begin, its close from its end: the later one that is not
-- after the moment is taken, so that no price of the future counts. Above H1 a bar ends by its
-- series' clock: a month that begins at 22:00 UTC on 28 February ends on 31 March, and a day on
-- which the clock goes back has 25 hours. Of several timeframes the one whose price is youngest
-- wins, of equals the shortest.
CREATE OR REPLACE FUNCTION internal.find_pair_rates(
    p_currency text,
    p_other text,
    p_at timestamptz,
    p_max_age interval
)
RETURNS TABLE (other text, rate numeric, source text, priced_at timestamptz)
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET TimeZone = 'UTC' -- a month is one of UTC, whatever the session's clock is
SET plan_cache_mode = force_custom_plan -- chunks without the moment are left out of the plan
AS $$
    SELECT DISTINCT ON (r.other)
        r.other,
        r.rate,
        r.source,
        r.priced_at
    FROM (
        SELECT
            CASE c.base_currency WHEN p_currency THEN c.quote_currency ELSE c.base_currency END
                AS other,
            CASE c.base_currency WHEN p_currency THEN b.price ELSE 1 / b.price END AS rate,
            CASE c.base_currency WHEN p_currency THEN '' ELSE '1/' END
            || c.symbol || ' ' || s.timeframe AS source,
            b.priced_at,
            t.length
        FROM public.currency_pairs AS c
        INNER JOIN public.market_series AS s ON c.symbol = s.symbol
        INNER JOIN public.timeframes() AS t ON s.timeframe = t.name
        CROSS JOIN LATERAL (
            SELECT
                CASE WHEN e.ends_at <= p_at THEN d.close ELSE d.open END AS price,
                CASE WHEN e.ends_at <= p_at THEN e.ends_at ELSE d.timestamp END AS priced_at
            FROM (
                SELECT d.timestamp, d.open, d.close
                FROM public.market_data AS d
                WHERE d.symbol = c.symbol
                    AND d.timeframe = s.timeframe
                    AND d.timestamp <= p_at
                    -- a month less may be three days too few, and a clock's change some hours
                    AND d.timestamp >= p_at - p_max_age - t.length - interval '4 days'
                ORDER BY d.timestamp DESC
                LIMIT 1
            ) AS d
            CROSS JOIN LATERAL (
                SELECT CASE
                    WHEN t.length <= interval '1 hour' THEN d.timestamp + t.length
                    ELSE internal.find_bar_end(d.timestamp, t.length, s.clock)
                END AS ends_at
            ) AS e
        ) AS b
        WHERE p_currency IN (c.base_currency, c.quote_currency)
            AND (p_other IS NULL OR p_other IN (c.base_currency, c.quote_currency))
            AND b.price > 0
            AND b.priced_at >= p_at - p_max_age
    ) AS r
    ORDER BY r.other ASC, r.priced_at DESC, r.length ASC, r.source ASC
$$;
COMMENT ON FUNCTION internal.find_pair_rates(text, text, timestamptz, interval) IS
'Worth of one unit of a currency in each currency that shares a pair with it, or in p_other
alone: the youngest price not after the moment and not older than p_max_age.';
REVOKE ALL ON FUNCTION internal.find_pair_rates(text, text, timestamptz, interval) FROM public;

CREATE OR REPLACE FUNCTION public.find_exchange_rate(
    p_from text,
    p_to text,
    p_at timestamptz,
    p_max_age interval DEFAULT '4 days',
    OUT rate numeric,
    OUT source text,
    OUT age interval,
    OUT reason text
)
RETURNS record
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
SECURITY DEFINER -- one rate for every role, also for tenants, which don't read hypertables
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- an older price is no rate of that moment, and no caller may start a search through all chunks
    c_oldest CONSTANT interval := '31 days';
    v_max_age interval := least(p_max_age, c_oldest);
BEGIN
    IF p_from IS NULL OR p_to IS NULL OR p_at IS NULL THEN
        reason := 'no_currency';
        RETURN;
    ELSIF p_from = p_to THEN
        rate := 1;
        source := p_from;
        age := '0';
        RETURN;
    END IF;
    SELECT r.rate, r.source, p_at - r.priced_at INTO rate, source, age
    FROM internal.find_pair_rates(p_from, p_to, p_at, v_max_age) AS r;
    IF NOT FOUND THEN
        -- through the third currency whose elder price is youngest
        SELECT f.rate / t.rate, f.source || ' / ' || t.source, p_at - l.priced_at
        INTO rate, source, age
        FROM internal.find_pair_rates(p_from, NULL, p_at, v_max_age) AS f
        INNER JOIN internal.find_pair_rates(p_to, NULL, p_at, v_max_age) AS t ON f.other = t.other
        CROSS JOIN LATERAL (SELECT least(f.priced_at, t.priced_at) AS priced_at) AS l
        ORDER BY l.priced_at DESC, f.other ASC
        LIMIT 1;
        IF NOT FOUND THEN
            reason := 'no_rate';
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION public.find_exchange_rate(text, text, timestamptz, interval) IS
'Worth of one unit of currency p_from in p_to at a moment, by stored bars of currency_pairs
(bid prices): directly, by the inverse, else through a third currency. source names the series, age
is the age of the elder price. Without a price that is at most p_max_age old (4 days, a long
weekend; at most 31) rate is NULL and reason no_rate;
no_currency when an argument is NULL. Never a later price.';
REVOKE ALL ON FUNCTION
public.find_exchange_rate(text, text, timestamptz, interval) FROM public;
