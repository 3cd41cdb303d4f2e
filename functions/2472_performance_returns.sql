-- 2472_performance_returns.sql: daily balances of a group, and figures of their returns.

CALL deploy.become_owner();

-- Each becomes a part of the query that calls it, performance_events() before all, so none has a
-- search_path of its own: names without a schema lie in pg_catalog.

CREATE OR REPLACE FUNCTION public.find_daily_balances(
    p_days public.trading_day[],
    p_operations public.balance_operations[],
    p_opening numeric,
    p_period_start timestamptz,
    p_period_end timestamptz
)
RETURNS TABLE (day timestamptz, net numeric, booked numeric, closing numeric)
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT
        d.day,
        d.net,
        d.booked,
        p_opening + sum(d.net + d.booked) OVER (ORDER BY d.day ROWS UNBOUNDED PRECEDING)
    FROM (
        SELECT
            m.day,
            sum(m.net) AS net,
            sum(m.booked) AS booked
        FROM (
            SELECT
                t.day,
                t.net,
                0 AS booked
            FROM unnest(p_days) AS t
            UNION ALL
            SELECT
                public.utc_day(o.occurred_at),
                0,
                o.amount
            FROM unnest(p_operations) AS o
            UNION ALL
            SELECT
                g.day,
                0,
                0
            FROM generate_series(
                public.utc_day(p_period_start),
                p_period_end - interval '1 microsecond',
                interval '24 hours'
            ) AS g (day)
        ) AS m
        GROUP BY m.day
    ) AS d
$$;
COMMENT ON FUNCTION public.find_daily_balances(
    public.trading_day[], public.balance_operations[], numeric, timestamptz, timestamptz
) IS
'Every UTC day of the period, also without a closed trade: net result, booked operations, and the
balance at its end; account currency.';
REVOKE ALL ON FUNCTION public.find_daily_balances(
    public.trading_day[], public.balance_operations[], numeric, timestamptz, timestamptz
) FROM public;

CREATE OR REPLACE FUNCTION public.find_daily_returns(
    p_days public.trading_day[],
    p_operations public.balance_operations[],
    p_opening numeric,
    p_period_start timestamptz,
    p_period_end timestamptz
)
RETURNS TABLE (day timestamptz, net numeric, booked numeric, closing numeric, value numeric)
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    -- 24 decimals make equal returns equal
    SELECT
        b.day,
        b.net,
        b.booked,
        b.closing,
        CASE
            WHEN b.net = 0 THEN 0
            ELSE round(round(b.net, 24) / nullif(b.closing - b.net, 0), 24)
        END
    FROM public.find_daily_balances(
        p_days, p_operations, p_opening, p_period_start, p_period_end
    ) AS b
$$;
COMMENT ON FUNCTION public.find_daily_returns(
    public.trading_day[], public.balance_operations[], numeric, timestamptz, timestamptz
) IS
'Every UTC day of the period as in find_daily_balances, with its return: the net result as a share
of the balance at the day''s start and its operations; NULL where these are 0.';
REVOKE ALL ON FUNCTION public.find_daily_returns(
    public.trading_day[], public.balance_operations[], numeric, timestamptz, timestamptz
) FROM public;

CREATE OR REPLACE FUNCTION public.measure_daily_returns(
    p_days public.trading_day[],
    p_operations public.balance_operations[],
    p_opening numeric,
    p_period_start timestamptz,
    p_period_end timestamptz,
    p_daily_risk_free numeric
)
RETURNS TABLE (
    observations integer,
    excess numeric,
    deviation numeric,
    constant boolean,
    downside numeric,
    lowest numeric,
    fall numeric,
    growth numeric
)
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
ROWS 1
AS $$
    -- put_in is the logarithm of the factor by which operations after the first day multiplied the
    -- balance
    WITH returns AS (
        SELECT
            b.day,
            b.closing,
            b.closing - b.net AS opening,
            b.value,
            sum(
                CASE
                    WHEN b.booked <> 0 AND b.day > p_period_start
                        AND b.closing - b.net > 0 AND b.closing - b.net - b.booked > 0
                    THEN ln(
                        public.exact_ratio(b.closing - b.net, b.closing - b.net - b.booked)
                    )
                END
            ) OVER (ORDER BY b.day ROWS UNBOUNDED PRECEDING) AS put_in
        FROM public.find_daily_returns(
            p_days, p_operations, p_opening, p_period_start, p_period_end
        ) AS b
    ),

    -- The closing balance in units of the money put in grows by the product of 1 + return, without
    -- the rounding of so many products.
    growth AS (
        SELECT
            r.day,
            r.value,
            r.opening,
            r.closing,
            CASE
                WHEN r.put_in IS NULL THEN r.closing
                ELSE round(r.closing / exp(r.put_in), 16) -- an operation alone is no fall
            END AS units,
            first_value(r.opening) OVER (ORDER BY r.day ROWS UNBOUNDED PRECEDING) AS start
        FROM returns AS r
    ),

    falls AS (
        SELECT
            g.day,
            g.value,
            g.value - p_daily_risk_free AS excess,
            g.opening,
            g.closing,
            g.units,
            g.start,
            greatest(
                max(g.units) OVER (ORDER BY g.day ROWS UNBOUNDED PRECEDING), g.start
            ) AS high
        FROM growth AS g
    )

    SELECT
        count(*)::integer,
        avg(f.excess),
        stddev_samp(f.value),
        min(f.value) = max(f.value),
        sqrt(sum(f.excess * f.excess) FILTER (WHERE f.excess < 0) / count(*)),
        least(min(f.opening), min(f.closing)),
        coalesce(
            max(public.exact_ratio(f.high - f.units, f.high))
            FILTER (WHERE f.units < f.high AND f.high > 0), 0
        ),
        public.exact_ratio((array_agg(f.units ORDER BY f.day DESC))[1], max(f.start))
    FROM falls AS f
$$;
COMMENT ON FUNCTION public.measure_daily_returns(
    public.trading_day[], public.balance_operations[], numeric, timestamptz, timestamptz, numeric
) IS
'Figures of the daily returns, always one row: their number, mean excess over p_daily_risk_free,
deviation, whether all are equal, downside deviation, lowest balance, deepest fall as a share of the
high, growth of the money put in as a factor.';
REVOKE ALL ON FUNCTION public.measure_daily_returns(
    public.trading_day[], public.balance_operations[], numeric, timestamptz, timestamptz, numeric
) FROM public;
