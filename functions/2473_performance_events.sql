-- 2473_performance_events.sql: the sources of the figures of performance_metrics, in one query.

CALL deploy.become_owner();

-- The query reads views, which are made later; pg_dump does the same.
SET check_function_bodies = off;

-- Both become a part of the query that calls them, so they have no search_path of their own: names
-- without a schema lie in pg_catalog.

-- The clocks of terminal and broker differ by seconds: a snapshot within a minute of a booking may
-- have it or not. To take one for the other would be a fall as deep as the booking, so that these
-- snapshots are no points of the curve.
CREATE OR REPLACE FUNCTION public.find_equity_events(
    p_account_ids bigint[],
    p_period_start timestamptz,
    p_period_end timestamptz
)
RETURNS TABLE (at timestamptz, kind integer, change numeric, booked numeric)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
    WITH starts AS MATERIALIZED (
        SELECT
            a.id AS account_id,
            f.taken_at AS at,
            f.equity
        FROM unnest(p_account_ids) AS a (id)
        CROSS JOIN LATERAL public.find_account_snapshot(a.id, p_period_start) AS f
    ),

    states AS (
        SELECT
            s.account_id,
            s.at,
            s.equity,
            NULL::numeric AS amount,
            0 AS unsure
        FROM starts AS s
        WHERE s.at IS NOT NULL
        UNION ALL
        SELECT
            a.id,
            f.timestamp,
            f.equity,
            NULL,
            0
        FROM unnest(p_account_ids) AS a (id)
        INNER JOIN public.snapshots_by_account AS f ON a.id = f.account_id
        WHERE f.timestamp >= p_period_start AND f.timestamp < p_period_end
        UNION ALL
        SELECT
            s.account_id,
            b.at + m.shift,
            NULL,
            CASE WHEN m.step > 0 THEN b.amount END,
            m.step
        FROM starts AS s
        CROSS JOIN LATERAL public.find_bookings(
            s.account_id, coalesce(s.at, p_period_start) - interval '1 minute',
            p_period_end + interval '1 minute'
        ) AS b
        CROSS JOIN (VALUES (interval '-1 minute', 1), ('1 minute', -1)) AS m (shift, step)
    ),

    -- a booking shows in the account's next point
    followed AS (
        SELECT
            s.account_id,
            s.at,
            s.equity,
            coalesce(sum(s.amount) OVER w, 0) AS amount,
            sum(s.unsure) OVER w AS unsure
        FROM states AS s
        WINDOW w AS (
            PARTITION BY s.account_id
            ORDER BY s.at, s.equity IS NOT NULL
            ROWS UNBOUNDED PRECEDING
        )
    ),

    equities AS MATERIALIZED (
        SELECT
            b.at,
            b.equity,
            b.equity - lag(b.equity) OVER w AS change,
            b.amount - lag(b.amount) OVER w AS amount,
            row_number() OVER w AS number
        FROM followed AS b
        WHERE b.equity IS NOT NULL AND b.unsure = 0
        WINDOW w AS (PARTITION BY b.account_id ORDER BY b.at)
    )

    -- an account's curve starts at its first known equity
    SELECT
        '-infinity',
        0,
        sum(q.equity),
        NULL
    FROM equities AS q
    WHERE q.number = 1
    HAVING count(*) > 0
    UNION ALL
    SELECT
        q.at,
        2,
        q.change - q.amount,
        nullif(q.amount, 0)
    FROM equities AS q
    WHERE q.number > 1
$$;
COMMENT ON FUNCTION public.find_equity_events(bigint[], timestamptz, timestamptz) IS
'The curve of equity of some accounts by their snapshots, in no order: its start (kind 0) and each
change (2) without what was booked (find_bookings), account currency.';
REVOKE ALL ON FUNCTION
public.find_equity_events(bigint[], timestamptz, timestamptz) FROM public;

-- The group's trades are read once.
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
    curve integer,
    at timestamptz,
    kind integer,
    id bigint,
    change numeric,
    booked numeric,
    sums public.performance_sums,
    side integer
)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
    WITH trades AS MATERIALIZED (
        SELECT
            t.id, t.account_id, t.closed_at, t.held, t.volume, t.commission, t.swap, t.net
        FROM public.find_closed_trades(
            p_user_id, p_strategy_id, p_strategy_owned, p_account_id, p_all_accounts,
            p_period_start, p_period_end
        ) AS t
    ),

    -- all sums, once
    by_day AS MATERIALIZED (
        SELECT array_agg(d::public.trading_day) AS days
        FROM (
            SELECT
                public.utc_day(t.closed_at) AS day,
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
        ) AS d
    ),

    basics AS MATERIALIZED (
        SELECT d.days, b.mixed, b.currency, b.opening, b.account_ids, o.operations
        FROM by_day AS d
        CROSS JOIN LATERAL public.find_results_basis(
            d.days, p_user_id, p_strategy_id, p_account_id, p_all_accounts, p_period_start,
            p_initial_balance
        ) AS b
        CROSS JOIN LATERAL (
            SELECT array_agg(o) AS operations
            FROM unnest(b.account_ids) AS a (id)
            INNER JOIN public.balance_operations AS o ON a.id = o.account_id
            WHERE o.occurred_at >= p_period_start AND o.occurred_at < p_period_end
        ) AS o
    )

    SELECT
        1, e.at, e.kind, 0::bigint, e.change, e.booked, NULL::public.performance_sums,
        CASE WHEN e.kind = 2 THEN sign(e.change)::integer END
    FROM basics AS b
    CROSS JOIN LATERAL public.find_equity_events(
        b.account_ids, p_period_start, p_period_end
    ) AS e
    UNION ALL
    SELECT 2, '-infinity', 0, 0, b.opening, NULL, NULL, NULL
    FROM basics AS b
    UNION ALL
    SELECT 2, o.occurred_at::timestamptz, 1, o.id, 0, o.amount::numeric, NULL, NULL
    FROM basics AS b
    CROSS JOIN unnest(b.operations) AS o
    UNION ALL
    SELECT 2, t.closed_at, 2, t.id, t.net, NULL, NULL, sign(t.net)::integer
    FROM trades AS t
    UNION ALL
    SELECT
        3, 'infinity', 0, 0, 0, NULL,
        ROW(
            c.trades, c.won, c.lost, c.net, c.gross_profit, c.net - c.gross_profit, c.best,
            c.worst, c.held, c.volume, c.commission, c.swap, b.mixed, b.currency, b.opening,
            d.observations, d.excess, d.deviation, d.constant, d.downside, d.lowest, d.fall,
            d.growth
        )::public.performance_sums,
        NULL
    FROM basics AS b
    CROSS JOIN LATERAL public.sum_trading_days(b.days) AS c
    CROSS JOIN LATERAL public.measure_daily_returns(
        b.days, b.operations, b.opening, p_period_start, p_period_end, p_daily_risk_free
    ) AS d
$$;
COMMENT ON FUNCTION public.performance_events(
    bigint, bigint, boolean, bigint, boolean, timestamptz, timestamptz, numeric, numeric
) IS
'The events that follow_performance_curves follows, in no order: for each curve (1 equity, 2
balance) its start (kind 0), bookings (1) and results (2), with the change in account currency and
its sign (side); and one row (curve 3) with all sums. p_strategy_owned: the strategy is the user''s.
p_daily_risk_free is the return of a day without risk.';
REVOKE ALL ON FUNCTION public.performance_events(
    bigint, bigint, boolean, bigint, boolean, timestamptz, timestamptz, numeric, numeric
) FROM public;

RESET check_function_bodies;
