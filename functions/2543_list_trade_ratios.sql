-- 2543_list_trade_ratios.sql: ratios of the net results of single trades, with their uncertainty.

CALL deploy.become_owner();

-- Longer series than these are long enough for the normal distribution, and would take seconds.
CREATE OR REPLACE FUNCTION public.count_replicates(p_values integer)
RETURNS integer
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN p_values <= 3000 THEN 2000 ELSE 0 END
$$;
COMMENT ON FUNCTION public.count_replicates(integer) IS
'Replicates of a bootstrap of so many values; 0 where the normal distribution serves.';
REVOKE ALL ON FUNCTION public.count_replicates(integer) FROM public;

CREATE OR REPLACE FUNCTION public.measure_runs(p_nets double precision[])
RETURNS TABLE (won integer, lost integer, runs integer, z double precision)
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
ROWS 1
SET search_path = pg_catalog, pg_temp
AS $$
    WITH decided AS (
        SELECT
            n.net > 0 AS won,
            lag(n.net > 0) OVER (ORDER BY n.number) AS before
        FROM unnest(p_nets) WITH ORDINALITY AS n (net, number)
        WHERE n.net <> 0
    ),

    counted AS (
        SELECT
            count(*) FILTER (WHERE d.won)::double precision AS won,
            count(*) FILTER (WHERE NOT d.won)::double precision AS lost,
            count(*) FILTER (WHERE d.won IS DISTINCT FROM d.before)::double precision AS runs
        FROM decided AS d
    ),

    expected AS (
        SELECT
            c.won,
            c.lost,
            c.runs,
            c.won + c.lost AS decided,
            2 * c.won * c.lost AS pairs
        FROM counted AS c
    )

    SELECT
        e.won::integer,
        e.lost::integer,
        e.runs::integer,
        CASE
            WHEN e.pairs > e.decided
            THEN (e.runs - e.pairs / e.decided - 1)
                / sqrt(e.pairs * (e.pairs - e.decided) / (e.decided ^ 2 * (e.decided - 1)))
        END
    FROM expected AS e
$$;
COMMENT ON FUNCTION public.measure_runs(double precision[]) IS
'Runs of wins and losses in a row of trades, break-even ones left out: trades won and lost, runs,
and how many standard deviations these are from what chance makes; NULL where that is unknown.';
REVOKE ALL ON FUNCTION public.measure_runs(double precision[]) FROM public;

CREATE OR REPLACE FUNCTION public.list_drawdown_ratios(p_nets double precision[], p_seed bigint)
RETURNS TABLE (
    ratio text,
    value double precision,
    level numeric,
    reason text,
    method text
)
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
ROWS 6
SET search_path = pg_catalog, pg_temp
AS $$
    -- at most 1,500,000 draws: 0.3 s
    WITH sizes AS MATERIALIZED (
        SELECT
            least(1000, 1500000 / greatest(cardinality(p_nets), 1)) AS runs,
            CASE
                WHEN cardinality(p_nets) < 10 THEN 'too_few'
                WHEN cardinality(p_nets) > 15000 THEN 'too_many'
            END AS reason
    ),

    found AS MATERIALIZED (
        SELECT
            w.way,
            s.runs,
            s.reason,
            (
                SELECT
                    percentile_cont(
                        ARRAY[0.50, 0.95, 0.99]::double precision[]
                    ) WITHIN GROUP (ORDER BY d.deepest)
                FROM public.simulate_drawdowns(
                    p_nets, CASE WHEN s.reason IS NULL THEN s.runs ELSE 0 END, p_seed,
                    w.way = 'reshuffled'
                ) AS d (deepest)
            ) AS deepest
        FROM sizes AS s
        CROSS JOIN (VALUES ('resampled'), ('reshuffled')) AS w (way)
    )

    SELECT
        format('drawdown_%s_%s', f.way, round(100 * q.level)),
        f.deepest[q.number],
        q.level,
        f.reason,
        format('trades %s, %s runs, seed %s', f.way, f.runs, p_seed)
    FROM found AS f
    CROSS JOIN (VALUES (1, 0.50), (2, 0.95), (3, 0.99)) AS q (number, level)
    ORDER BY f.way, q.number
$$;
COMMENT ON FUNCTION public.list_drawdown_ratios(double precision[], bigint) IS
'Drawdowns (account currency, 0 or more) that so many of the simulated runs stay within; see
simulate_drawdowns. Rows as in calculate_ratios.';
REVOKE ALL ON FUNCTION public.list_drawdown_ratios(double precision[], bigint) FROM public;

CREATE OR REPLACE FUNCTION public.list_trade_ratios(
    p_nets double precision[],
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
ROWS 9
SET search_path = pg_catalog, pg_temp
AS $$
    WITH sample AS MATERIALIZED (
        SELECT
            count(*)::integer AS n,
            avg(t.net) AS mean,
            100.0::double precision * count(*) FILTER (WHERE t.net > 0) / nullif(count(*), 0)
                AS won,
            public.count_replicates(count(*)::integer) AS replicates,
            public.normal_quantile((1 + p_level)::double precision / 2)
            / sqrt(nullif(count(*), 0)) AS errors,
            stddev_samp(t.net) AS deviation,
            min(t.net) = max(t.net) AS flat,
            CASE WHEN count(*) < 10 THEN 'too_few' END AS reason
        FROM unnest(p_nets) AS t (net)
        WHERE t.net IS NOT NULL
    ),

    ends AS MATERIALIZED (
        SELECT
            percentile_cont(
                ARRAY[(1 - p_level) / 2, (1 + p_level) / 2]::double precision[]
            ) WITHIN GROUP (ORDER BY b.win_rate) AS won,
            percentile_cont(
                ARRAY[(1 - p_level) / 2, (1 + p_level) / 2]::double precision[]
            ) WITHIN GROUP (ORDER BY b.average_profit) AS mean
        FROM sample AS s
        CROSS JOIN LATERAL public.bootstrap_trades(
            array_remove(p_nets, NULL), CASE WHEN s.reason IS NULL THEN s.replicates ELSE 0 END,
            p_seed
        ) AS b
    )

    -- equal trades have no interval: what they say of others is not that all are like them
    SELECT
        r.ratio,
        r.unit,
        CASE WHEN s.reason IS NULL THEN r.value END,
        s.n,
        CASE WHEN r.reason IS NULL THEN coalesce(r.ends[1], r.value - r.distance) END,
        CASE WHEN r.reason IS NULL THEN coalesce(r.ends[2], r.value + r.distance) END,
        p_level,
        r.reason,
        CASE
            WHEN s.replicates > 0
            THEN format('bootstrap of trades, %s replicates, seed %s', s.replicates, p_seed)
            ELSE 'normal distribution'
        END
    FROM sample AS s
    CROSS JOIN ends AS e
    CROSS JOIN LATERAL (
        VALUES
        (
            'win_rate', 'percent', s.won, e.won, s.errors * sqrt(s.won * (100 - s.won)),
            coalesce(s.reason, CASE WHEN s.won IN (0, 100) THEN 'zero_variance' END)
        ),
        (
            'average_profit', 'money', s.mean, e.mean, s.errors * s.deviation,
            coalesce(s.reason, CASE WHEN s.flat THEN 'zero_variance' END)
        )
    ) AS r (ratio, unit, value, ends, distance, reason)
    UNION ALL
    SELECT
        'streak_z',
        'deviations',
        CASE WHEN least(m.won, m.lost) >= 10 THEN m.z END,
        m.won + m.lost,
        NULL,
        NULL,
        NULL,
        CASE WHEN least(m.won, m.lost) < 10 THEN 'too_few' END,
        format('runs test, %s runs', m.runs)
    FROM public.measure_runs(p_nets) AS m
    UNION ALL
    SELECT
        d.ratio, 'money', d.value, s.n, NULL, NULL, d.level, d.reason, d.method
    FROM sample AS s
    CROSS JOIN public.list_drawdown_ratios(array_remove(p_nets, NULL), p_seed) AS d
$$;
COMMENT ON FUNCTION public.list_trade_ratios(double precision[], numeric, bigint) IS
'Ratios of trades by their net results in order (account currency), rows as in calculate_ratios. A
trade whose result is not known (NULL) is left out.';
REVOKE ALL ON FUNCTION
public.list_trade_ratios(double precision[], numeric, bigint) FROM public;
