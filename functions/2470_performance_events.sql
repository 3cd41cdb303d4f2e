-- 2470_performance_events.sql: what the figures of performance_metrics are made of, in one query.

CALL deploy.become_owner();

-- The query reads views, which are made later; pg_dump does the same.
SET check_function_bodies = off;

-- The curves of equity (1) and balance (2): where each starts (kind 0), what was booked without a
-- result (1), results (2). Curve 3 is one row that brings the sums.
-- The group's trades are read once. Without a search_path of its own it becomes a part of the query
-- that calls it; what it names lies in pg_catalog or is named with its schema.
-- The period ends by a comparison of rows, which the index on closed_at alone can't serve: planned
-- without knowing the period, that index looked best, and everybody's closed trades were read
-- (10,000 of 100,000: 24 ms instead of 9).
CREATE OR REPLACE FUNCTION public.performance_events(
    p_user_id bigint,
    p_strategy_id bigint,
    p_strategy_owned boolean,
    p_account_id bigint,
    p_all_accounts boolean,
    p_period_start timestamptz,
    p_period_end timestamptz,
    p_initial_balance numeric,
    p_daily_risk_free numeric
)
RETURNS TABLE (
    curve integer, at timestamptz, kind integer, id bigint, change numeric, booked numeric,
    summary jsonb, side integer
)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
    WITH trades AS MATERIALIZED (
        SELECT
            o.id,
            o.account_id,
            o.closed_at,
            o.closed_at - o.opened_at AS held,
            o.volume,
            o.commission,
            o.swap,
            o.profit + o.commission + o.swap AS net
        FROM public.trading_orders AS o
        WHERE p_strategy_id IS NULL
            AND o.user_id = p_user_id AND o.closed_at >= p_period_start
            AND (o.user_id, o.closed_at) < (p_user_id, p_period_end)
            AND o.close_price IS NOT NULL
            AND (p_all_accounts OR o.account_id IS NOT DISTINCT FROM p_account_id)
        UNION ALL
        SELECT
            o.id,
            o.account_id,
            o.closed_at,
            o.closed_at - o.opened_at,
            o.volume,
            o.commission,
            o.swap,
            o.profit + o.commission + o.swap
        FROM public.trading_orders AS o
        WHERE p_strategy_owned
            AND o.strategy_id = p_strategy_id AND o.closed_at >= p_period_start
            AND (o.strategy_id, o.closed_at) < (p_strategy_id, p_period_end)
            AND o.close_price IS NOT NULL
            AND (p_all_accounts OR o.account_id IS NOT DISTINCT FROM p_account_id)
    ),

    -- all that is summed, once: hundreds of days are summed up further, not thousands of trades
    by_day AS MATERIALIZED (
        SELECT
            date_bin('1 day', t.closed_at, '2000-01-01 00:00+00') AS day,
            t.account_id,
            count(*) AS trades,
            count(*) FILTER (WHERE t.net > 0) AS won,
            count(*) FILTER (WHERE t.net < 0) AS lost,
            sum(t.net) AS net,
            sum(t.net) FILTER (WHERE t.net > 0) AS gross_profit,
            max(t.net) AS best,
            min(t.net) AS worst,
            sum(t.held) AS held,
            sum(t.volume) AS volume,
            sum(t.commission) AS commission,
            sum(t.swap) AS swap
        FROM trades AS t
        GROUP BY 1, 2
    ),

    traded_accounts AS (
        SELECT
            array_agg(DISTINCT d.account_id) AS ids,
            coalesce(bool_or(d.account_id IS NULL), FALSE) AS nameless
        FROM by_day AS d
    ),

    counted AS MATERIALIZED (
        SELECT
            coalesce(sum(d.trades), 0)::integer AS trades,
            coalesce(sum(d.won), 0)::integer AS won,
            coalesce(sum(d.lost), 0)::integer AS lost,
            coalesce(sum(d.net), 0) AS net,
            coalesce(sum(d.gross_profit), 0) AS gross_profit,
            max(d.best) AS best,
            min(d.worst) AS worst,
            sum(d.held) / sum(d.trades)::double precision AS held,
            coalesce(sum(d.volume), 0) AS volume,
            coalesce(sum(d.commission), 0) AS commission,
            coalesce(sum(d.swap), 0) AS swap
        FROM by_day AS d
    ),

    -- the accounts that were traded; for a user who did not trade, all
    accounts AS MATERIALIZED (
        SELECT
            a.id,
            a.currency,
            CASE
                WHEN p_initial_balance IS NULL
                THEN public.find_account_balance(a.id, p_period_start)
            END AS balance
        FROM public.mt5_accounts AS a
        CROSS JOIN traded_accounts AS t
        WHERE a.user_id = p_user_id
            AND CASE
                WHEN t.ids IS NOT NULL THEN a.id = ANY (t.ids)
                ELSE p_strategy_id IS NULL AND (p_all_accounts OR a.id = p_account_id)
            END
    ),

    -- orders without an account are in a currency that nobody knows
    currencies AS (
        SELECT
            count(DISTINCT a.currency) + t.nameless::integer > 1 AS mixed,
            CASE WHEN NOT t.nameless THEN min(a.currency) END AS currency,
            CASE WHEN count(a.balance) = count(*) AND NOT t.nameless THEN sum(a.balance) END
                AS balance,
            array_agg(a.id) AS account_ids
        FROM traded_accounts AS t
        LEFT JOIN accounts AS a ON TRUE
        GROUP BY t.nameless
    ),

    basics AS MATERIALIZED (
        SELECT
            c.mixed,
            CASE WHEN NOT c.mixed THEN c.currency END AS currency,
            CASE WHEN NOT c.mixed THEN coalesce(p_initial_balance, c.balance) END AS opening,
            -- whose equity and operations count: a strategy has neither
            CASE
                WHEN NOT c.mixed AND c.currency IS NOT NULL AND p_strategy_id IS NULL
                THEN c.account_ids
            END AS account_ids
        FROM currencies AS c
    ),

    operations AS MATERIALIZED (
        SELECT
            a.id AS account_id,
            o.id,
            o.occurred_at AS at,
            o.amount
        FROM basics AS m
        CROSS JOIN unnest(m.account_ids) AS a (id)
        INNER JOIN public.balance_operations AS o ON a.id = o.account_id
        WHERE o.occurred_at >= p_period_start AND o.occurred_at < p_period_end
    ),

    -- every UTC day of the period, whether something was closed or not
    days AS (
        SELECT
            d.day,
            sum(d.net) AS net,
            sum(d.booked) AS booked
        FROM (
            SELECT
                t.day,
                t.net,
                0 AS booked
            FROM by_day AS t
            UNION ALL
            SELECT
                date_bin('1 day', o.at, '2000-01-01 00:00+00'),
                0,
                o.amount
            FROM operations AS o
            UNION ALL
            SELECT
                g.day,
                0,
                0
            FROM generate_series(
                date_bin('1 day', p_period_start, '2000-01-01 00:00+00'),
                p_period_end - interval '1 microsecond',
                interval '24 hours'
            ) AS g (day)
        ) AS d
        GROUP BY d.day
    ),

    balances AS (
        SELECT
            d.day,
            d.net,
            d.booked,
            s.opening + sum(d.net + d.booked) OVER (ORDER BY d.day ROWS UNBOUNDED PRECEDING)
                AS closing
        FROM days AS d
        CROSS JOIN basics AS s
    ),

    -- 24 decimals make equal returns equal. put_in is the logarithm of what operations after
    -- the first day multiplied the balance by.
    returns AS (
        SELECT
            b.day,
            b.closing,
            b.closing - b.net AS opening,
            CASE
                WHEN b.net = 0 THEN 0
                ELSE round(round(b.net, 24) / nullif(b.closing - b.net, 0), 24)
            END AS value,
            sum(
                CASE
                    WHEN b.booked <> 0 AND b.day > p_period_start
                        AND b.closing - b.net > 0 AND b.closing - b.net - b.booked > 0
                    THEN ln(round(b.closing - b.net, 30) / (b.closing - b.net - b.booked))
                END
            ) OVER (ORDER BY b.day ROWS UNBOUNDED PRECEDING) AS put_in
        FROM balances AS b
    ),

    -- The closing balance in units of what was put in grows by the product of 1 + return,
    -- without the rounding of so many products.
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
    ),

    daily AS (
        SELECT
            count(*)::integer AS observations,
            avg(f.excess) AS excess,
            stddev_samp(f.value) AS deviation,
            min(f.value) = max(f.value) AS constant,
            sqrt(sum(f.excess * f.excess) FILTER (WHERE f.excess < 0) / count(*)) AS downside,
            least(min(f.opening), min(f.closing)) AS lowest,
            coalesce(
                max(round(f.high - f.units, 30) / f.high)
                FILTER (WHERE f.units < f.high AND f.high > 0), 0
            ) AS fall,
            round((array_agg(f.units ORDER BY f.day DESC))[1], 30)
            / nullif(max(f.start), 0) AS growth
        FROM falls AS f
    ),

    -- every sum of the trades and their days, on one row
    summary AS (
        SELECT
            c.trades,
            c.won,
            c.lost,
            c.net,
            c.gross_profit,
            c.net - c.gross_profit AS gross_loss,
            c.best,
            c.worst,
            c.held,
            c.volume,
            c.commission,
            c.swap,
            b.mixed,
            b.currency,
            b.opening,
            d.observations,
            d.excess,
            d.deviation,
            d.constant,
            d.downside,
            d.lowest,
            d.fall,
            d.growth
        FROM counted AS c
        CROSS JOIN basics AS b
        CROSS JOIN daily AS d
    ),

    states AS (
        SELECT
            a.id AS account_id,
            f.taken_at AS at,
            f.equity,
            NULL::numeric AS amount
        FROM basics AS m
        CROSS JOIN unnest(m.account_ids) AS a (id)
        CROSS JOIN LATERAL public.find_account_state(a.id, p_period_start) AS f
        WHERE f.taken_at IS NOT NULL
        UNION ALL
        SELECT
            a.id,
            f.timestamp,
            f.equity,
            NULL
        FROM basics AS m
        CROSS JOIN unnest(m.account_ids) AS a (id)
        INNER JOIN public.account_states AS f ON a.id = f.account_id
        WHERE f.timestamp >= p_period_start AND f.timestamp < p_period_end
        UNION ALL
        SELECT
            o.account_id,
            o.at,
            NULL,
            o.amount
        FROM operations AS o
    ),

    -- an operation shows in the account's next snapshot
    booked AS (
        SELECT
            s.account_id,
            s.at,
            s.equity,
            coalesce(
                sum(s.amount) OVER (
                    PARTITION BY s.account_id
                    ORDER BY s.at, s.equity IS NOT NULL
                    ROWS UNBOUNDED PRECEDING
                ), 0
            ) AS amount
        FROM states AS s
    ),

    -- the first equity known of an account is where its curve starts
    equities AS MATERIALIZED (
        SELECT
            b.at,
            b.equity,
            b.equity - lag(b.equity) OVER w AS change,
            b.amount - lag(b.amount) OVER w AS amount,
            row_number() OVER w AS number
        FROM booked AS b
        WHERE b.equity IS NOT NULL
        WINDOW w AS (PARTITION BY b.account_id ORDER BY b.at)
    )

    SELECT
        v.curve,
        v.at,
        v.kind,
        v.id,
        v.change,
        v.booked,
        v.summary,
        CASE WHEN v.kind > 0 THEN sign(v.change)::integer END AS side
    FROM (
        SELECT
            1 AS curve,
            '-infinity'::timestamptz AS at,
            0 AS kind,
            0::bigint AS id,
            sum(q.equity) AS change,
            NULL::numeric AS booked,
            NULL::jsonb AS summary
        FROM equities AS q
        WHERE q.number = 1
        HAVING count(*) > 0
        UNION ALL
        SELECT
            1,
            q.at,
            2,
            0,
            q.change - q.amount,
            nullif(q.amount, 0),
            NULL
        FROM equities AS q
        WHERE q.number > 1
        UNION ALL
        SELECT
            2,
            '-infinity',
            0,
            0,
            m.opening,
            NULL,
            NULL
        FROM basics AS m
        UNION ALL
        SELECT
            2,
            o.at,
            1,
            o.id,
            0,
            o.amount,
            NULL
        FROM operations AS o
        UNION ALL
        SELECT
            2,
            t.closed_at,
            2,
            t.id,
            t.net,
            NULL,
            NULL
        FROM trades AS t
        UNION ALL
        SELECT
            3,
            'infinity',
            0,
            0,
            0,
            NULL,
            to_jsonb(m)
        FROM summary AS m
    ) AS v
$$;
COMMENT ON FUNCTION public.performance_events(
    bigint, bigint, boolean, bigint, boolean, timestamptz, timestamptz, numeric, numeric
) IS
'What measure_performance follows, in no order: for each curve (1 equity, 2 balance) its start (kind
0), bookings (1) and results (2), with the change in account currency and its sign (side); and one
row (curve 3) with all sums as jsonb. p_strategy_owned says that the strategy is the user''s.
p_daily_risk_free is the return of a day without risk.';
REVOKE ALL ON FUNCTION public.performance_events(
    bigint, bigint, boolean, bigint, boolean, timestamptz, timestamptz, numeric, numeric
) FROM public;

RESET check_function_bodies;
