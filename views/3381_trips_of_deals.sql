-- 3381_trips_of_deals.sql: trips as the deals make them.

CALL deploy.become_owner();

-- The table is refreshed from this view (internal.refresh_ledger) and proved by it
-- (monitoring.ledger_violations), as orders and operations are from theirs. All conditions on
-- account and position reach the deals: both columns stand in every PARTITION BY and GROUP BY.

-- A trip is (account, position, leg), its deals in the order (time_msc, ticket). A reversal (INOUT)
-- closes what is open with its profit and swap and opens the rest in the next leg; commission and
-- fee go by volume, and the rest after rounding stays with the new leg, so that sums are exact.
-- Not security_invoker: the proofs read it for rubi_monitor, who may not read deals.
CREATE OR REPLACE VIEW internal.trips_of_deals AS
WITH deals AS (
    SELECT
        d.account_id,
        d.position_id,
        d.ticket,
        d.order_ticket,
        d.time_msc,
        d.time_ambiguous,
        d.symbol,
        d.type,
        d.entry,
        d.volume,
        d.price,
        d.profit,
        d.swap,
        d.commission,
        d.fee,
        -- 0 BUY, 1 SELL; 0 IN, 1 OUT, 2 INOUT, 3 OUT_BY; 7 rollover, 8 variation margin, 9 split
        -- and 10 corporate action move money only
        coalesce(
            d.type IN (0, 1)
            AND d.entry IN (0, 1, 2, 3)
            AND coalesce(d.reason, 0) NOT IN (7, 8, 9, 10),
            FALSE
        ) AS is_trade
    FROM public.trading_deals AS d
    WHERE
        d.position_id > 0
        -- read once, not joined to each deal; a type that has no name yet moves the balance
        AND d.type NOT IN (
            SELECT t.code
            FROM public.mt5_deal_types AS t
            WHERE t.effect NOT IN ('trade', 'balance')
        )
),

walked AS (
    SELECT
        d.*,
        d.is_trade AND d.entry = 0 AS is_in,
        d.is_trade AND d.entry IN (1, 3) AS is_out,
        d.is_trade AND d.entry = 2 AS is_reversal,
        coalesce(
            sum(CASE WHEN d.is_trade THEN (1 - 2 * d.type) * d.volume END) OVER earlier, 0
        ) AS net_before,
        1 + count(*) FILTER (WHERE d.is_trade AND d.entry = 2) OVER earlier AS leg
    FROM deals AS d
    WINDOW earlier AS (
        PARTITION BY d.account_id, d.position_id
        ORDER BY d.time_msc, d.ticket
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),

-- A reversal closes less than its volume, and something: where the deals say otherwise, what was
-- open before the first of them is missing, and lies between two bounds.
bounded AS (
    SELECT
        w.*,
        bool_and((2 * w.type - 1) * w.net_before > 0 AND abs(w.net_before) <= w.volume)
        FILTER (WHERE w.is_reversal) OVER whole AS is_plain,
        max(-w.net_before - CASE w.type WHEN 0 THEN w.volume ELSE 0 END)
        FILTER (WHERE w.is_reversal) OVER whole AS least_missing,
        min(-w.net_before + CASE w.type WHEN 1 THEN w.volume ELSE 0 END)
        FILTER (WHERE w.is_reversal) OVER whole AS most_missing,
        sum(CASE WHEN w.is_trade THEN (2 * w.type - 1) * w.volume END) OVER whole
            AS missing_if_flat
    FROM walked AS w
    WINDOW whole AS (PARTITION BY w.account_id, w.position_id)
),

split AS (
    SELECT
        n.*,
        CASE
            -- only volume on the other side can be closed
            WHEN n.is_reversal
                THEN least(n.volume, greatest((2 * n.type - 1) * (n.net_before + n.missing), 0))
            WHEN n.is_out THEN n.volume
            ELSE 0
        END AS closing
    FROM (
        SELECT
            b.*,
            CASE
                WHEN b.is_plain OR b.least_missing >= b.most_missing THEN 0
                -- closed by now
                WHEN b.missing_if_flat > b.least_missing AND b.missing_if_flat < b.most_missing
                    THEN b.missing_if_flat
                -- the middle is right where each trade has the same volume
                ELSE round((b.least_missing + b.most_missing) / 2, 8)
            END AS missing
        FROM bounded AS b
    ) AS n
),

parts AS (
    SELECT
        s.account_id,
        s.position_id,
        s.leg + h.later AS leg,
        s.ticket,
        s.order_ticket,
        s.time_msc,
        s.time_ambiguous,
        s.symbol,
        s.entry,
        s.price,
        CASE
            WHEN h.later = 1 THEN s.volume - s.closing
            WHEN s.is_in THEN s.volume
            ELSE 0
        END AS opening,
        CASE h.later WHEN 0 THEN s.closing ELSE 0 END AS closing,
        CASE h.later WHEN 0 THEN s.profit ELSE 0 END AS profit,
        CASE h.later WHEN 0 THEN s.swap ELSE 0 END AS swap,
        CASE
            WHEN h.later = 1 THEN s.commission - round(s.commission * s.closing / s.volume, 8)
            WHEN s.is_reversal AND s.closing < s.volume
                THEN round(s.commission * s.closing / s.volume, 8)
            ELSE s.commission
        END AS commission,
        CASE
            WHEN h.later = 1 THEN s.fee - round(s.fee * s.closing / s.volume, 8)
            WHEN s.is_reversal AND s.closing < s.volume
                THEN round(s.fee * s.closing / s.volume, 8)
            ELSE s.fee
        END AS fee
    FROM split AS s
    -- a reversal of more than was open takes part in two legs
    INNER JOIN (VALUES (0), (1)) AS h (later)
        ON h.later = 0 OR (s.is_reversal AND s.closing < s.volume)
),

legs AS (
    SELECT
        p.account_id,
        p.position_id,
        p.leg,
        count(*) AS deals,
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
    GROUP BY p.account_id, p.position_id, p.leg
)

SELECT
    l.account_id,
    l.position_id,
    l.leg::integer AS leg,
    l.deals::integer AS deals,
    CASE WHEN l.opened > 0 THEN f.magic END AS magic,
    CASE WHEN l.opened > 0 THEN (
        SELECT m.strategy_id
        FROM public.mt5_magic_strategies AS m
        WHERE
            m.account_id = l.account_id
            AND m.magic = f.magic
            AND m.valid_from <= f.executed_at
        ORDER BY m.valid_from DESC
        LIMIT 1
    ) END AS strategy_id,
    CASE WHEN l.opened > 0 THEN nullif(f.order_ticket, 0) END AS open_order,
    f.executed_at AS opened_at,
    c.executed_at AS closed_at,
    f.time_msc AS opened_msc,
    c.time_msc AS closed_msc,
    l.time_ambiguous OR coalesce(c.executed_at < f.executed_at, FALSE) AS time_ambiguous,
    l.opened > 0 AND l.closed <= l.opened AS is_whole,
    l.opened AS volume_opened,
    l.closed AS volume_closed,
    round(l.opened_worth / nullif(l.opened, 0), 8) AS open_price,
    round(l.closed_worth / nullif(l.closed, 0), 8) AS close_price,
    l.profit,
    l.commission,
    l.swap,
    l.fee,
    l.symbol,
    CASE
        WHEN l.opened > 0 THEN CASE f.type WHEN 0 THEN 'BUY' ELSE 'SELL' END
        WHEN l.closed > 0 THEN CASE f.type WHEN 0 THEN 'SELL' ELSE 'BUY' END
    END AS side,
    l.close_by_orders
FROM legs AS l
INNER JOIN public.trading_deals AS f ON l.account_id = f.account_id AND l.first_ticket = f.ticket
LEFT JOIN public.trading_deals AS c
    ON
        l.account_id = c.account_id
        AND l.last_ticket = c.ticket
        AND l.closed > 0
        AND l.closed >= l.opened;

COMMENT ON VIEW internal.trips_of_deals IS
'Contents that mt5_trips should have: the trips of all deals.';
