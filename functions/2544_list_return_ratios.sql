-- 2544_list_return_ratios.sql: ratios of daily returns, with their uncertainty.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION public.measure_moments(p_values double precision[])
RETURNS TABLE (
    n integer,
    active integer,
    mean double precision,
    deviation double precision,
    skewness double precision,
    kurtosis double precision
)
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
ROWS 1
SET search_path = pg_catalog, pg_temp
AS $$
    WITH center AS MATERIALIZED (
        SELECT
            count(v.value)::integer AS n,
            count(*) FILTER (WHERE v.value <> 0)::integer AS active,
            avg(v.value) AS mean,
            CASE WHEN min(v.value) < max(v.value) THEN stddev_samp(v.value) END AS deviation
        FROM unnest(p_values) AS v (value)
    ),

    -- in deviations: powers of a return of a day would lose digits, or be too small for the type
    scaled AS (
        SELECT (v.value - c.mean) / c.deviation AS value
        FROM center AS c
        CROSS JOIN unnest(p_values) AS v (value)
    ),

    moments AS (
        SELECT
            avg(s.value * s.value) AS second,
            avg(s.value * s.value * s.value) AS third,
            avg(s.value * s.value * s.value * s.value) AS fourth
        FROM scaled AS s
    )

    SELECT
        c.n,
        c.active,
        c.mean,
        c.deviation,
        m.third / (m.second * sqrt(m.second)),
        m.fourth / (m.second * m.second)
    FROM center AS c
    CROSS JOIN moments AS m
$$;
COMMENT ON FUNCTION public.measure_moments(double precision[]) IS
'Number of values, of those that are not 0, mean, sample standard deviation (n - 1), skewness and
kurtosis of the sample itself (moments over n, kurtosis 3 for normal values); the last three NULL
when all values are equal.';
REVOKE ALL ON FUNCTION public.measure_moments(double precision[]) FROM public;

CREATE OR REPLACE FUNCTION public.measure_ulcer(p_returns double precision[])
RETURNS double precision
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- logarithms of the growth: a product of thousands of factors is a sum. The bounds keep a loss
    -- of nearly everything, a rest too small for the type, from being an error.
    WITH grown AS (
        SELECT
            r.number,
            sum(ln(greatest(1 + r.value, 1e-16))) OVER (
                ORDER BY r.number ROWS UNBOUNDED PRECEDING
            ) AS growth
        FROM unnest(p_returns) WITH ORDINALITY AS r (value, number)
    ),

    falls AS (
        SELECT
            exp(
                greatest(
                    -700,
                    g.growth - greatest(
                        0, max(g.growth) OVER (ORDER BY g.number ROWS UNBOUNDED PRECEDING)
                    )
                )
            ) - 1 AS fall
        FROM grown AS g
    )

    SELECT 100 * sqrt(avg(f.fall * f.fall)) FROM falls AS f
$$;
COMMENT ON FUNCTION public.measure_ulcer(double precision[]) IS
'Root of the mean square of each day''s fall below the high, percent 0-100; the returns are above
-1.';
REVOKE ALL ON FUNCTION public.measure_ulcer(double precision[]) FROM public;

CREATE OR REPLACE FUNCTION public.list_tail_ratios(p_returns double precision[])
RETURNS TABLE (ratio text, value double precision, level numeric, least_days integer)
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
ROWS 4
SET search_path = pg_catalog, pg_temp
AS $$
    WITH tails AS (
        SELECT
            t.level,
            (
                SELECT percentile_cont((1 - t.level)::double precision) WITHIN GROUP (
                    ORDER BY r.value
                )
                FROM unnest(p_returns) AS r (value)
            ) AS edge,
            (
                SELECT avg(w.value)
                FROM (
                    SELECT r.value
                    FROM unnest(p_returns) AS r (value)
                    ORDER BY r.value
                    LIMIT 1 + floor((cardinality(p_returns) - 1) * (1 - t.level))
                ) AS w
            ) AS beyond
        FROM (VALUES (0.95), (0.99)) AS t (level)
    )

    SELECT
        format('%s_%s', f.name, round(100 * t.level)),
        100 * f.value,
        t.level,
        -- three days in the tail
        (3 / (1 - t.level))::integer
    FROM tails AS t
    CROSS JOIN LATERAL (
        VALUES (1, 'value_at_risk', t.edge), (2, 'conditional_value_at_risk', t.beyond)
    ) AS f (number, name, value)
    ORDER BY f.number, t.level
$$;
COMMENT ON FUNCTION public.list_tail_ratios(double precision[]) IS
'The return that 5 (1) of 100 days fall short of, and the mean of the days that do, percent of the
balance with its sign; least_days is how many days make three such days.';
REVOKE ALL ON FUNCTION public.list_tail_ratios(double precision[]) FROM public;

CREATE OR REPLACE FUNCTION public.measure_sharpe(
    p_returns double precision[],
    p_periods_per_year double precision,
    p_daily_risk_free double precision,
    p_level numeric,
    p_seed bigint
)
RETURNS TABLE (daily double precision, low double precision, high double precision, method text)
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
ROWS 1
SET search_path = pg_catalog, pg_temp
AS $$
    WITH sample AS MATERIALIZED (
        SELECT
            (m.mean - p_daily_risk_free) / m.deviation AS daily,
            m.n,
            m.skewness,
            m.kurtosis,
            public.count_replicates(m.n) AS replicates
        FROM public.measure_moments(p_returns) AS m
    ),

    ends AS (
        SELECT
            percentile_cont(
                ARRAY[(1 - p_level) / 2, (1 + p_level) / 2]::double precision[]
            ) WITHIN GROUP (
                ORDER BY (b.mean - p_daily_risk_free) / nullif(b.deviation, 0)
            ) AS daily
        FROM sample AS s
        CROSS JOIN LATERAL public.bootstrap_returns(p_returns, s.replicates, p_seed) AS b
    ),

    errors AS (
        SELECT
            public.normal_quantile((1 + p_level)::double precision / 2)
            * sqrt(public.sharpe_variance(s.daily, s.skewness, s.kurtosis) / (s.n - 1))
                AS distance
        FROM sample AS s
    )

    SELECT
        s.daily,
        coalesce(e.daily[1], s.daily - r.distance) * sqrt(p_periods_per_year),
        coalesce(e.daily[2], s.daily + r.distance) * sqrt(p_periods_per_year),
        CASE
            WHEN s.replicates > 0
            THEN format('bootstrap of days, %s replicates, seed %s', s.replicates, p_seed)
            ELSE 'normal distribution'
        END
    FROM sample AS s
    CROSS JOIN ends AS e
    CROSS JOIN errors AS r
$$;
COMMENT ON FUNCTION public.measure_sharpe(
    double precision[], double precision, double precision, numeric, bigint
) IS
'Sharpe ratio of daily returns, not annualised, and the annualised ends of its interval.';
REVOKE ALL ON FUNCTION public.measure_sharpe(
    double precision[], double precision, double precision, numeric, bigint
) FROM public;

CREATE OR REPLACE FUNCTION public.list_return_ratios(
    p_returns double precision[],
    p_periods_per_year double precision DEFAULT 365,
    p_daily_risk_free double precision DEFAULT 0,
    p_benchmark double precision DEFAULT 0,
    p_level numeric DEFAULT 0.95,
    p_seed bigint DEFAULT 1
)
RETURNS TABLE (
    ratio text,
    unit text,
    value double precision,
    n integer,
    low double precision,
    high double precision,
    level numeric,
    reason text,
    method text
)
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
ROWS 11
SET search_path = pg_catalog, pg_temp
AS $$
    WITH moments AS MATERIALIZED (
        SELECT
            m.n,
            m.deviation,
            m.skewness,
            m.kurtosis,
            p_benchmark / sqrt(p_periods_per_year) AS benchmark,
            CASE WHEN m.n < 30 OR m.active < 10 THEN 'too_few' END AS few,
            CASE WHEN m.deviation IS NULL THEN 'zero_variance' END AS flat
        FROM public.measure_moments(p_returns) AS m
    ),

    sharpes AS MATERIALIZED (
        SELECT s.daily, s.low, s.high, s.method
        FROM moments AS m
        CROSS JOIN LATERAL public.measure_sharpe(
            CASE WHEN coalesce(m.few, m.flat) IS NULL THEN array_remove(p_returns, NULL) END,
            p_periods_per_year, p_daily_risk_free, p_level, p_seed
        ) AS s
    ),

    found AS (
        SELECT r.ratio, r.unit, r.value, r.low, r.high, r.level, r.reason, r.method, m.n
        FROM moments AS m
        CROSS JOIN sharpes AS s
        CROSS JOIN LATERAL (
            VALUES
            (
                'sharpe_ratio', 'ratio', s.daily * sqrt(p_periods_per_year), s.low, s.high,
                p_level, coalesce(m.few, m.flat), s.method
            ),
            (
                'probabilistic_sharpe', 'probability', public.probabilistic_sharpe(
                    s.daily, m.benchmark, m.n, m.skewness, m.kurtosis
                ), NULL, NULL, NULL, coalesce(m.few, m.flat),
                format('above a Sharpe ratio of %s', p_benchmark)
            ),
            (
                'minimum_track_record', 'days', public.minimum_track_record(
                    s.daily, m.benchmark, p_level::double precision, m.skewness, m.kurtosis
                ), NULL, NULL, p_level, coalesce(
                    m.few, m.flat,
                    CASE WHEN s.daily <= m.benchmark THEN 'not_above_benchmark' END
                ), format('above a Sharpe ratio of %s', p_benchmark)
            ),
            (
                'volatility', 'percent', 100 * m.deviation * sqrt(p_periods_per_year), NULL, NULL,
                NULL, coalesce(m.few, m.flat), 'sample standard deviation, annualised'
            ),
            ('skewness', 'ratio', m.skewness, NULL, NULL, NULL, coalesce(m.few, m.flat), 'moments'),
            (
                'kurtosis', 'ratio', m.kurtosis, NULL, NULL, NULL, coalesce(m.few, m.flat),
                'moments, 3 for normal returns'
            ),
            (
                'ulcer_index', 'percent',
                CASE
                    WHEN m.few IS NULL
                    THEN public.measure_ulcer(array_remove(p_returns, NULL))
                END,
                NULL, NULL, NULL, m.few, 'falls below the high'
            )
        ) AS r (ratio, unit, value, low, high, level, reason, method)
        UNION ALL
        SELECT
            t.ratio, 'percent', t.value, NULL, NULL, t.level,
            coalesce(m.few, CASE WHEN m.n < t.least_days THEN 'too_few' END), 'historical', m.n
        FROM moments AS m
        CROSS JOIN public.list_tail_ratios(array_remove(p_returns, NULL)) AS t
    )

    SELECT
        f.ratio, f.unit, CASE WHEN f.reason IS NULL THEN f.value END, f.n, f.low, f.high, f.level,
        f.reason, f.method
    FROM found AS f
$$;
COMMENT ON FUNCTION public.list_return_ratios(
    double precision[], double precision, double precision, double precision, numeric, bigint
) IS
'Ratios of daily returns (shares of the balance, above -1), rows as in calculate_ratios.
A day whose return is not known (NULL) is left out. p_daily_risk_free is the return of a day without
risk, p_benchmark an annual Sharpe ratio.';
REVOKE ALL ON FUNCTION public.list_return_ratios(
    double precision[], double precision, double precision, double precision, numeric, bigint
) FROM public;
