-- 3520_risk_positions.sql: the open positions that rules count, and what their stops would cost.

CALL deploy.become_owner();

-- Whose strategy a position is of says its open order, for which the result will count, and where
-- that names none the magic number at its opening, as for trips. A position's ticket is the number
-- of the order that opened it, or that turned it, until the broker charges swap by opening the
-- position again under another: then the trip of its identifier names the order. From the orders
-- and numbers to the positions, so that a query for one strategy reads its accounts only.
CREATE OR REPLACE VIEW public.strategy_positions
WITH (security_invoker = TRUE) AS
SELECT
    o.strategy_id,
    p.account_id,
    p.ticket,
    p.symbol,
    p.volume
FROM public.trading_orders AS o
INNER JOIN public.trading_positions AS p
    ON o.mt5_order_id = p.ticket AND o.account_id = p.account_id
WHERE o.closed_at IS NULL AND o.strategy_id IS NOT NULL
UNION ALL
SELECT
    o.strategy_id,
    p.account_id,
    p.ticket,
    p.symbol,
    p.volume
FROM public.trading_orders AS o
INNER JOIN public.mt5_trips AS t ON o.id = t.trading_order_id
INNER JOIN public.trading_positions AS p
    ON t.account_id = p.account_id AND t.position_id = p.identifier
WHERE
    o.closed_at IS NULL
    AND o.strategy_id IS NOT NULL
    AND NOT EXISTS (
        SELECT
        FROM public.trading_orders AS x
        WHERE
            x.mt5_order_id = p.ticket
            AND x.account_id = p.account_id
            AND x.closed_at IS NULL
            AND x.strategy_id IS NOT NULL
    )
UNION ALL
SELECT
    m.strategy_id,
    p.account_id,
    p.ticket,
    p.symbol,
    p.volume
FROM public.mt5_magic_strategies AS m
INNER JOIN public.trading_positions AS p
    ON m.account_id = p.account_id AND m.magic = p.magic AND m.valid_from <= p.open_time
WHERE
    m.strategy_id IS NOT NULL
    AND NOT EXISTS (
        SELECT
        FROM public.mt5_magic_strategies AS n
        WHERE
            n.account_id = m.account_id
            AND n.magic = m.magic
            AND n.valid_from > m.valid_from
            AND n.valid_from <= p.open_time
    )
    AND NOT EXISTS (
        SELECT
        FROM public.trading_orders AS o
        WHERE
            o.mt5_order_id = p.ticket
            AND o.account_id = p.account_id
            AND o.closed_at IS NULL
            AND o.strategy_id IS NOT NULL
    )
    AND NOT EXISTS (
        SELECT
        FROM public.mt5_trips AS t
        INNER JOIN public.trading_orders AS o ON t.trading_order_id = o.id
        WHERE
            t.account_id = p.account_id
            AND t.position_id = p.identifier
            AND o.closed_at IS NULL
            AND o.strategy_id IS NOT NULL
    );
COMMENT ON VIEW public.strategy_positions IS
'Open positions with the strategy that their result will count for: that of their order, else that
of their magic number.';
COMMENT ON COLUMN public.strategy_positions.strategy_id IS 'Strategy.';
COMMENT ON COLUMN public.strategy_positions.account_id IS 'Trading account.';
COMMENT ON COLUMN public.strategy_positions.ticket IS 'Position ticket.';
COMMENT ON COLUMN public.strategy_positions.symbol IS 'Symbol as the broker spells it.';
COMMENT ON COLUMN public.strategy_positions.volume IS 'Volume, lots.';

CREATE OR REPLACE VIEW public.strategy_accounts
WITH (security_invoker = TRUE) AS
SELECT
    m.strategy_id,
    m.account_id
FROM public.mt5_magic_strategies AS m
INNER JOIN public.mt5_accounts AS a ON m.account_id = a.id AND a.closed_at IS NULL
WHERE
    m.strategy_id IS NOT NULL
    AND m.valid_from <= now()
    AND NOT EXISTS (
        SELECT FROM public.mt5_magic_strategies AS n
        WHERE
            n.account_id = m.account_id
            AND n.magic = m.magic
            AND n.valid_from > m.valid_from
            AND n.valid_from <= now()
    )
UNION
SELECT
    p.strategy_id,
    p.account_id
FROM public.strategy_positions AS p;
COMMENT ON VIEW public.strategy_accounts IS
'Open accounts in which a magic number stands for a strategy now, and those with positions of it.';
COMMENT ON COLUMN public.strategy_accounts.strategy_id IS 'Strategy.';
COMMENT ON COLUMN public.strategy_accounts.account_id IS 'Trading account.';

CREATE OR REPLACE VIEW public.risk_positions
WITH (security_invoker = TRUE) AS
SELECT
    r.id AS rule_id,
    p.account_id,
    p.ticket,
    p.volume
FROM public.risk_rules AS r
INNER JOIN public.trading_positions AS p ON r.account_id = p.account_id
WHERE r.kind IN ('maximum_lots', 'maximum_positions', 'no_weekend')
UNION ALL
SELECT
    r.id AS rule_id,
    p.account_id,
    p.ticket,
    p.volume
FROM public.risk_rules AS r
INNER JOIN public.strategy_positions AS p ON r.strategy_id = p.strategy_id
WHERE r.kind IN ('maximum_lots', 'maximum_positions', 'no_weekend');
COMMENT ON VIEW public.risk_positions IS
'Open positions that a rule on lots, positions or weekends counts.';
COMMENT ON COLUMN public.risk_positions.rule_id IS 'Rule.';
COMMENT ON COLUMN public.risk_positions.account_id IS 'Trading account of the position.';
COMMENT ON COLUMN public.risk_positions.ticket IS 'Position ticket.';
COMMENT ON COLUMN public.risk_positions.volume IS 'Volume, lots.';

-- A move of one tick is worth trade_tick_value of the symbol's current terms. One position without
-- a stop, or of a symbol without terms, and the whole is unknown.
CREATE OR REPLACE VIEW public.risk_of_stops
WITH (security_invoker = TRUE) AS
WITH stops AS (
    SELECT
        p.account_id,
        CASE p.type WHEN 'BUY' THEN p.sl - p.current_price ELSE p.current_price - p.sl END
        / nullif(s.trade_tick_size, 0) * s.trade_tick_value * p.volume AS result
    FROM public.trading_positions AS p
    LEFT JOIN public.mt5_symbols AS s
        ON p.account_id = s.account_id AND p.symbol = s.symbol AND s.valid_to = 'infinity'
)

SELECT
    s.account_id,
    count(*) AS positions,
    count(*) - count(s.result) AS without_stop,
    CASE WHEN count(*) = count(s.result) THEN sum(s.result) END AS result
FROM stops AS s
GROUP BY s.account_id;
COMMENT ON VIEW public.risk_of_stops IS
'Accounts with open positions: what equity would change by if every stop loss were hit now.';
COMMENT ON COLUMN public.risk_of_stops.account_id IS 'Trading account.';
COMMENT ON COLUMN public.risk_of_stops.positions IS 'Open positions.';
COMMENT ON COLUMN public.risk_of_stops.without_stop IS
'Those without a stop loss, or of a symbol whose terms are not known.';
COMMENT ON COLUMN public.risk_of_stops.result IS
'Change of equity, account currency, a loss is negative; NULL while one position has no stop.';
