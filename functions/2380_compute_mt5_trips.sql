-- 2380_compute_mt5_trips.sql: round trips from deals.

CALL deploy.become_owner();

-- A trip is (account, position, leg), its deals in the order (time_msc, ticket). A reversal (INOUT)
-- closes what is open with its profit and swap and opens the rest in the next leg; commission and
-- fee go by volume, and what rounding leaves stays with the new leg, so that sums are exact.
CREATE OR REPLACE FUNCTION internal.compute_mt5_trips(p_account_id bigint, p_positions bigint[])
RETURNS SETOF public.mt5_trips
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH deals AS (
        SELECT
            d.*,
            d.type IN (0, 1)
            AND d.entry IN (0, 1, 2, 3)
            -- 7 rollover, 8 variation margin, 9 split, 10 corporate action: money only
            AND coalesce(d.reason, 0) NOT IN (7, 8, 9, 10) AS is_trade
        FROM unnest(p_positions) AS u (position_id)
        CROSS JOIN LATERAL (
            SELECT d.*
            FROM public.trading_deals AS d
            WHERE d.account_id = p_account_id AND d.position_id = u.position_id
            OFFSET 0
        ) AS d
        LEFT JOIN public.mt5_deal_types AS t ON d.type = t.code
        WHERE coalesce(t.effect, 'balance') IN ('trade', 'balance')
    ),
    walked AS (
        SELECT
            d.*,
            coalesce(
                sum(CASE WHEN d.is_trade THEN (1 - 2 * d.type) * d.volume END) OVER earlier, 0
            ) AS net_before,
            1 + count(*) FILTER (WHERE d.is_trade AND d.entry = 2) OVER earlier AS leg
        FROM deals AS d
        WINDOW earlier AS (
            PARTITION BY d.position_id
            ORDER BY d.time_msc, d.ticket
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        )
    ),
    split AS (
        SELECT
            w.*,
            CASE
                WHEN w.is_trade AND w.entry = 2
                    -- only what lies on the other side can be closed
                    THEN least(w.volume, greatest((2 * w.type - 1) * w.net_before, 0))
                WHEN w.is_trade AND w.entry IN (1, 3) THEN w.volume
                ELSE 0
            END AS closing
        FROM walked AS w
    ),
    parts AS (
        SELECT
            s.position_id, s.leg, s.ticket, s.time_msc, s.executed_at, s.time_ambiguous, s.symbol,
            s.type, s.entry, s.magic, s.order_ticket, s.price, s.closing,
            CASE WHEN s.is_trade AND s.entry = 0 THEN s.volume ELSE 0 END AS opening,
            s.profit,
            s.swap,
            CASE
                WHEN s.is_trade AND s.entry = 2 AND s.closing < s.volume
                    THEN round(s.commission * s.closing / s.volume, 8)
                ELSE s.commission
            END AS commission,
            CASE
                WHEN s.is_trade AND s.entry = 2 AND s.closing < s.volume
                    THEN round(s.fee * s.closing / s.volume, 8)
                ELSE s.fee
            END AS fee
        FROM split AS s
        UNION ALL
        SELECT
            s.position_id, s.leg + 1, s.ticket, s.time_msc, s.executed_at, s.time_ambiguous,
            s.symbol, s.type, s.entry, s.magic, s.order_ticket, s.price, 0,
            s.volume - s.closing,
            0,
            0,
            s.commission - round(s.commission * s.closing / s.volume, 8),
            s.fee - round(s.fee * s.closing / s.volume, 8)
        FROM split AS s
        WHERE s.is_trade AND s.entry = 2 AND s.closing < s.volume
    ),
    legs AS (
        SELECT
            p.position_id,
            p.leg::integer AS leg,
            count(*)::integer AS deals,
            sum(p.opening) AS opened,
            sum(p.closing) AS closed,
            sum(p.opening * p.price) AS opened_worth,
            sum(p.closing * p.price) AS closed_worth,
            sum(p.profit) AS profit,
            sum(p.commission) AS commission,
            sum(p.swap) AS swap,
            sum(p.fee) AS fee,
            bool_or(p.time_ambiguous) AS time_ambiguous,
            max(p.symbol) AS symbol,
            (array_agg(p.ticket ORDER BY p.opening = 0, p.closing = 0, p.time_msc, p.ticket))[1]
                AS first_ticket,
            (array_agg(p.ticket ORDER BY p.closing = 0, p.time_msc DESC, p.ticket DESC))[1]
                AS last_ticket,
            array_agg(DISTINCT p.order_ticket ORDER BY p.order_ticket)
                FILTER (WHERE p.entry = 3 AND p.closing > 0) AS close_by_orders
        FROM parts AS p
        GROUP BY p.position_id, p.leg
    )
    SELECT
        p_account_id,
        l.position_id,
        l.leg,
        l.deals,
        CASE WHEN l.opened > 0 THEN f.magic END,
        CASE WHEN l.opened > 0 THEN (
            SELECT m.strategy_id
            FROM public.mt5_magic_strategies AS m
            WHERE m.account_id = p_account_id
                AND m.magic = f.magic
                AND m.valid_from <= f.executed_at
            ORDER BY m.valid_from DESC
            LIMIT 1
        ) END,
        CASE WHEN l.opened > 0 THEN nullif(f.order_ticket, 0) END,
        NULL::bigint,
        f.executed_at,
        c.executed_at,
        f.time_msc,
        c.time_msc,
        l.time_ambiguous OR coalesce(c.executed_at < f.executed_at, FALSE),
        l.opened > 0 AND l.closed <= l.opened,
        FALSE,
        l.opened,
        l.closed,
        round(l.opened_worth / nullif(l.opened, 0), 8),
        round(l.closed_worth / nullif(l.closed, 0), 8),
        l.profit,
        l.commission,
        l.swap,
        l.fee,
        NULL::numeric,
        l.symbol,
        CASE
            WHEN l.opened > 0 THEN CASE f.type WHEN 0 THEN 'BUY' ELSE 'SELL' END
            WHEN l.closed > 0 THEN CASE f.type WHEN 0 THEN 'SELL' ELSE 'BUY' END
        END,
        l.close_by_orders
    FROM legs AS l
    INNER JOIN public.trading_deals AS f
        ON f.account_id = p_account_id AND f.ticket = l.first_ticket
    LEFT JOIN public.trading_deals AS c
        ON c.account_id = p_account_id
        AND c.ticket = l.last_ticket
        AND l.closed > 0
        AND l.closed >= l.opened
$$;
COMMENT ON FUNCTION internal.compute_mt5_trips(bigint, bigint[]) IS
'The trips of some positions of an account, computed from their deals.';
REVOKE ALL ON FUNCTION internal.compute_mt5_trips(bigint, bigint[]) FROM public;
