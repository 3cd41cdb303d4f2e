-- 3841_mt5_proofs.sql: proofs that deals, balances, positions, orders and trips agree.

CALL deploy.become_owner();

-- No view here is security_invoker: they count over all users for rubi_monitor, which may not read
-- the rows.

-- Not security_invoker: rubi_monitor counts rows that it may not read.
CREATE OR REPLACE VIEW monitoring.balance_states AS
WITH moved AS (
    SELECT
        d.account_id,
        sum(d.profit + d.commission + d.swap + d.fee)
        FILTER (WHERE coalesce(t.effect, 'balance') <> 'credit' AND e.id IS NULL) AS money,
        sum(d.profit + d.commission + d.swap + d.fee)
        FILTER (WHERE t.effect = 'credit') AS credit,
        max(d.executed_at) AS latest
    FROM public.trading_deals AS d
    LEFT JOIN public.mt5_deal_types AS t ON d.type = t.code
    -- one that stands for archived deals, which are still here
    LEFT JOIN public.mt5_explanations AS e
        ON d.account_id = e.account_id AND d.ticket = e.deal_ticket AND e.is_explained
    GROUP BY d.account_id
),

explained AS (
    SELECT
        e.account_id,
        sum(e.amount) AS money
    FROM public.mt5_explanations AS e
    WHERE e.is_explained
    GROUP BY e.account_id
)

SELECT
    s.account_id,
    s.balance,
    round(
        s.opening_balance + coalesce(m.money, 0) + coalesce(e.money, 0), s.currency_digits
    ) AS balance_by_deals,
    s.credit,
    coalesce(m.credit, 0) AS credit_by_deals,
    s.taken_at,
    m.latest AS latest_deal_at,
    CASE
        WHEN m.latest > s.taken_at THEN 'pending'
        WHEN
            round(
                s.opening_balance + coalesce(m.money, 0) + coalesce(e.money, 0), s.currency_digits
            ) = round(s.balance, s.currency_digits)
            THEN 'holds'
        ELSE 'violated'
    END AS state
FROM public.mt5_account_states AS s
INNER JOIN moved AS m ON s.account_id = m.account_id
LEFT JOIN explained AS e ON s.account_id = e.account_id
WHERE s.balance IS NOT NULL;

COMMENT ON VIEW monitoring.balance_states IS
'Each account with deals: the balance MT5 gave against opening balance + deals + what
mt5_explanations explains, credit apart.';
COMMENT ON COLUMN monitoring.balance_states.account_id IS 'Trading account.';
COMMENT ON COLUMN monitoring.balance_states.balance IS 'Balance as MT5 gave it.';
COMMENT ON COLUMN monitoring.balance_states.balance_by_deals IS
'Opening balance + profit + commission + swap + fee of all deals that move the balance + amounts
explained, rounded to the digits of the currency. A deal that stands for archived ones moves
nothing.';
COMMENT ON COLUMN monitoring.balance_states.credit IS 'Credit as MT5 gave it.';
COMMENT ON COLUMN monitoring.balance_states.credit_by_deals IS 'Sum of deals that move the credit.';
COMMENT ON COLUMN monitoring.balance_states.taken_at IS 'Time of the account''s state, UTC.';
COMMENT ON COLUMN monitoring.balance_states.latest_deal_at IS 'Latest deal, UTC.';
COMMENT ON COLUMN monitoring.balance_states.state IS
'holds, violated, or pending while a deal is newer than the account''s state.';

-- Not security_invoker: rubi_monitor counts rows that it may not read.
CREATE OR REPLACE VIEW monitoring.balance_violations AS
SELECT
    b.account_id,
    b.balance,
    b.balance_by_deals,
    b.balance_by_deals - b.balance AS difference,
    b.taken_at,
    b.latest_deal_at
FROM monitoring.balance_states AS b
WHERE b.state = 'violated';

COMMENT ON VIEW monitoring.balance_violations IS
'Accounts whose balance is not the sum of their deals and of what is explained;
mt5_reconciliations has each gap. No row when all is well.';
COMMENT ON COLUMN monitoring.balance_violations.account_id IS 'Trading account.';
COMMENT ON COLUMN monitoring.balance_violations.balance IS 'Balance as MT5 gave it.';
COMMENT ON COLUMN monitoring.balance_violations.balance_by_deals IS
'Balance by opening balance and deals.';
COMMENT ON COLUMN monitoring.balance_violations.difference IS 'balance_by_deals less balance.';
COMMENT ON COLUMN monitoring.balance_violations.taken_at IS 'Time of the account''s state, UTC.';
COMMENT ON COLUMN monitoring.balance_violations.latest_deal_at IS 'Latest deal, UTC.';

-- Rollover and variation margin move no volume. A split or corporate action changes the volume
-- without a deal that shows the change: such positions can't be proved.
-- Not security_invoker: rubi_monitor counts rows that it may not read.
CREATE OR REPLACE VIEW monitoring.position_volumes AS
SELECT
    d.account_id,
    d.position_id,
    sum(CASE d.type WHEN 0 THEN d.volume ELSE -d.volume END)
    FILTER (WHERE d.type IN (0, 1) AND coalesce(d.reason, 0) NOT IN (7, 8)) AS volume,
    max(d.executed_at) AS latest_deal_at,
    bool_or(d.type IN (0, 1) AND d.entry = 0) AS has_opening,
    bool_or(coalesce(d.reason IN (9, 10), FALSE)) AS is_split
FROM public.trading_deals AS d
WHERE d.position_id > 0
GROUP BY d.account_id, d.position_id;

COMMENT ON VIEW monitoring.position_volumes IS
'Volume of each position by its deals, bought less sold.';
COMMENT ON COLUMN monitoring.position_volumes.account_id IS 'Trading account.';
COMMENT ON COLUMN monitoring.position_volumes.position_id IS 'Position, for life.';
COMMENT ON COLUMN monitoring.position_volumes.volume IS 'Volume in lots; sold is negative.';
COMMENT ON COLUMN monitoring.position_volumes.latest_deal_at IS 'Latest deal, UTC.';
COMMENT ON COLUMN monitoring.position_volumes.has_opening IS
'TRUE when a deal of type IN is there.';
COMMENT ON COLUMN monitoring.position_volumes.is_split IS
'TRUE when a split or corporate action changed it.';

-- Not security_invoker: rubi_monitor counts rows that it may not read.
CREATE OR REPLACE VIEW monitoring.open_volume_violations AS
SELECT
    p.account_id,
    p.identifier AS position_id,
    CASE p.type WHEN 'BUY' THEN p.volume ELSE -p.volume END AS volume,
    coalesce(v.volume, 0) AS volume_by_deals
FROM public.trading_positions AS p
INNER JOIN public.mt5_account_states AS s ON p.account_id = s.account_id
-- a look-up for each: few of all positions are open
LEFT JOIN LATERAL (
    SELECT
        x.volume,
        x.latest_deal_at,
        x.is_split
    FROM monitoring.position_volumes AS x
    WHERE x.account_id = p.account_id AND x.position_id = p.identifier
    ORDER BY x.position_id -- keeps it a look-up
) AS v ON TRUE
WHERE
    p.identifier IS NOT NULL
    AND coalesce(v.volume, 0) <> CASE p.type WHEN 'BUY' THEN p.volume ELSE -p.volume END
    -- pending while the picture is older than the deals, or the deals older than the position
    AND coalesce(v.latest_deal_at <= s.positions_taken_at, TRUE)
    AND EXISTS (
        SELECT 1
        FROM public.trading_deals AS d
        WHERE d.account_id = p.account_id AND d.executed_at >= p.open_time
    )
    AND coalesce(p.open_time >= s.history_from, TRUE)
    AND coalesce(NOT v.is_split, TRUE);

COMMENT ON VIEW monitoring.open_volume_violations IS
'Open positions whose volume is not the sum of their deals. No row when all is well.';
COMMENT ON COLUMN monitoring.open_volume_violations.account_id IS 'Trading account.';
COMMENT ON COLUMN monitoring.open_volume_violations.position_id IS 'Position, for life.';
COMMENT ON COLUMN monitoring.open_volume_violations.volume IS 'Volume in lots; sold is negative.';
COMMENT ON COLUMN monitoring.open_volume_violations.volume_by_deals IS
'Bought less sold by deals, lots.';

-- Not security_invoker: rubi_monitor counts rows that it may not read.
CREATE OR REPLACE VIEW monitoring.vanished_position_violations AS
SELECT
    v.account_id,
    v.position_id,
    v.volume AS volume_by_deals,
    v.latest_deal_at
FROM monitoring.position_volumes AS v
INNER JOIN public.mt5_account_states AS s ON v.account_id = s.account_id
WHERE
    v.volume <> 0
    AND v.latest_deal_at <= s.positions_taken_at
    AND NOT v.is_split
    AND (v.has_opening OR s.history_from IS NULL)
    AND NOT EXISTS (
        SELECT 1
        FROM public.trading_positions AS p
        WHERE p.account_id = v.account_id AND p.identifier = v.position_id
    );

COMMENT ON VIEW monitoring.vanished_position_violations IS
'Positions that are no longer open and whose deals leave a volume: deals are missing. No row when
all is well.';
COMMENT ON COLUMN monitoring.vanished_position_violations.account_id IS 'Trading account.';
COMMENT ON COLUMN monitoring.vanished_position_violations.position_id IS 'Position, for life.';
COMMENT ON COLUMN monitoring.vanished_position_violations.volume_by_deals IS
'Bought less sold by deals, lots.';
COMMENT ON COLUMN monitoring.vanished_position_violations.latest_deal_at IS 'Latest deal, UTC.';

-- Not security_invoker: rubi_monitor counts rows that it may not read.
CREATE OR REPLACE VIEW monitoring.order_without_deal_violations AS
SELECT
    o.account_id,
    o.ticket,
    o.state,
    o.volume_initial,
    o.volume_current,
    o.done_at
FROM public.mt5_orders AS o
LEFT JOIN public.mt5_account_states AS s ON o.account_id = s.account_id
WHERE
    -- 4 FILLED; any other order with less volume left than asked for was filled in part
    (o.state = 4 OR o.volume_current < o.volume_initial)
    AND coalesce(coalesce(o.done_at, o.setup_at) >= s.history_from, TRUE)
    AND NOT EXISTS (
        SELECT 1
        FROM public.trading_deals AS d
        WHERE d.account_id = o.account_id AND d.order_ticket = o.ticket
    );

COMMENT ON VIEW monitoring.order_without_deal_violations IS
'Orders that were filled and have no deal. No row when all is well.';
COMMENT ON COLUMN monitoring.order_without_deal_violations.account_id IS 'Trading account.';
COMMENT ON COLUMN monitoring.order_without_deal_violations.ticket IS 'Order ticket.';
COMMENT ON COLUMN monitoring.order_without_deal_violations.state IS
'Code, kind order_state of mt5_codes.';
COMMENT ON COLUMN monitoring.order_without_deal_violations.volume_initial IS
'Volume asked for, lots.';
COMMENT ON COLUMN monitoring.order_without_deal_violations.volume_current IS
'Volume not filled, lots.';
COMMENT ON COLUMN monitoring.order_without_deal_violations.done_at IS
'Time when the order was done, UTC.';

-- Not security_invoker: rubi_monitor counts rows that it may not read.
CREATE OR REPLACE VIEW monitoring.double_order_violations AS
SELECT
    o.id,
    x.id AS other_id,
    o.user_id,
    o.mt5_order_id
FROM public.trading_orders AS o
INNER JOIN public.trading_orders AS x
    ON o.mt5_order_id = x.mt5_order_id AND o.user_id = x.user_id AND o.symbol = x.symbol
WHERE o.account_id IS NULL AND x.account_id IS NOT NULL;

COMMENT ON VIEW monitoring.double_order_violations IS
'Orders stored twice: once without an account, once with one. No row when all is well.';
COMMENT ON COLUMN monitoring.double_order_violations.id IS
'Row of trading_orders without an account.';
COMMENT ON COLUMN monitoring.double_order_violations.other_id IS 'Row of trading_orders with one.';
COMMENT ON COLUMN monitoring.double_order_violations.user_id IS 'Owner of both.';
COMMENT ON COLUMN monitoring.double_order_violations.mt5_order_id IS 'Order ticket of both.';

-- Not security_invoker: rubi_monitor counts rows that it may not read. The older account's latest
-- deals: the terminal may no longer show its first ones.
CREATE OR REPLACE VIEW monitoring.double_account_violations AS
SELECT
    a.id AS account_id,
    o.id AS other_account_id,
    a.user_id,
    a.account_number,
    a.server,
    o.server AS other_server
FROM public.mt5_accounts AS a
INNER JOIN public.mt5_accounts AS o
    ON
        a.user_id = o.user_id
        AND a.account_number = o.account_number
        AND a.currency = o.currency
        AND a.id > o.id
WHERE EXISTS (
    SELECT
    FROM (
        SELECT
            d.ticket,
            d.time_msc,
            d.symbol,
            d.volume,
            d.profit
        FROM public.trading_deals AS d
        WHERE d.account_id = o.id
        ORDER BY d.ticket DESC
        LIMIT 100
    ) AS d
    INNER JOIN public.trading_deals AS x
        ON
            x.account_id = a.id
            AND d.ticket = x.ticket
            AND d.time_msc = x.time_msc
            AND d.symbol = x.symbol
            AND d.volume = x.volume
            AND d.profit = x.profit
);

COMMENT ON VIEW monitoring.double_account_violations IS
'Accounts with the number and the deals of an older one on another trade server: the broker gave the
server a new name, and each trade counts twice for its user. No row when all is well.';
COMMENT ON COLUMN monitoring.double_account_violations.account_id IS 'The newer account.';
COMMENT ON COLUMN monitoring.double_account_violations.other_account_id IS 'The older one.';
COMMENT ON COLUMN monitoring.double_account_violations.user_id IS 'Owner of both.';
COMMENT ON COLUMN monitoring.double_account_violations.account_number IS 'Login of both.';
COMMENT ON COLUMN monitoring.double_account_violations.server IS 'Trade server of the newer one.';
COMMENT ON COLUMN monitoring.double_account_violations.other_server IS
'Trade server of the older one.';
