-- 3190_journal.sql: the journal with what its entries are about, and the trades they are about.

CALL deploy.become_owner();

CREATE OR REPLACE VIEW public.journal
WITH (security_invoker = TRUE) AS
SELECT
    e.id AS entry_id,
    e.user_id,
    e.account_id,
    CASE
        WHEN e.position_id IS NOT NULL THEN 'trip'
        WHEN e.order_ticket IS NOT NULL THEN 'order'
        ELSE 'day'
    END AS subject,
    e.position_id,
    e.leg,
    e.order_ticket,
    e.day,
    e.clock,
    coalesce(t.symbol, o.symbol, m.symbol) AS symbol,
    coalesce(t.opened_at, o.opened_at, m.setup_at) AS opened_at,
    coalesce(t.closed_at, o.closed_at, m.done_at) AS closed_at,
    e.note,
    g.tags,
    a.kept,
    a.broken,
    e.day IS NOT NULL OR t.leg IS NOT NULL OR o.id IS NOT NULL OR m.ticket IS NOT NULL AS is_found,
    e.created_at,
    e.updated_at
FROM public.journal_entries AS e
LEFT JOIN public.mt5_trips AS t
    ON e.account_id = t.account_id AND e.position_id = t.position_id AND e.leg = t.leg
LEFT JOIN public.trading_orders AS o
    ON e.account_id = o.account_id AND e.order_ticket::text = o.mt5_order_id
LEFT JOIN public.mt5_orders AS m
    ON e.account_id = m.account_id AND e.order_ticket = m.ticket
CROSS JOIN
    LATERAL (
        SELECT coalesce(array_agg(x.kind || ': ' || x.name ORDER BY x.kind, x.name), '{}') AS tags
        FROM public.journal_entry_tags AS s
        INNER JOIN public.journal_tags AS x ON s.tag_id = x.id
        WHERE s.entry_id = e.id
    ) AS g
CROSS JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE s.is_kept) AS kept,
        count(*) FILTER (WHERE NOT s.is_kept) AS broken
    FROM public.journal_answers AS s
    WHERE s.entry_id = e.id
) AS a;
COMMENT ON VIEW public.journal IS
'Entries of the journal with what each is about, its tags, and how many rules were kept.';
COMMENT ON COLUMN public.journal.entry_id IS 'Entry.';
COMMENT ON COLUMN public.journal.user_id IS 'Owner.';
COMMENT ON COLUMN public.journal.account_id IS
'Trading account; NULL for a day over all accounts of the user.';
COMMENT ON COLUMN public.journal.subject IS 'trip, order or day.';
COMMENT ON COLUMN public.journal.position_id IS 'Position of a trip.';
COMMENT ON COLUMN public.journal.leg IS 'Leg of the position.';
COMMENT ON COLUMN public.journal.order_ticket IS 'Order ticket of MT5.';
COMMENT ON COLUMN public.journal.day IS 'Day by its clock.';
COMMENT ON COLUMN public.journal.clock IS 'Clock by which the day begins and ends.';
COMMENT ON COLUMN public.journal.symbol IS
'Symbol of the trip or order as the broker spells it; NULL for a day.';
COMMENT ON COLUMN public.journal.opened_at IS
'Time of opening of the trip or order, of placing for an order that never traded, UTC.';
COMMENT ON COLUMN public.journal.closed_at IS
'Time of closing of the trip or order, UTC; NULL while open.';
COMMENT ON COLUMN public.journal.note IS 'The user''s own words.';
COMMENT ON COLUMN public.journal.tags IS 'Tags with their kinds, such as {"setup: breakout"}.';
COMMENT ON COLUMN public.journal.kept IS 'Questions answered as kept.';
COMMENT ON COLUMN public.journal.broken IS 'Questions answered as broken.';
COMMENT ON COLUMN public.journal.is_found IS
'FALSE: no trip or order has this key (any more). Name another key in journal_entries.';
COMMENT ON COLUMN public.journal.created_at IS 'Time when the entry was made, UTC.';
COMMENT ON COLUMN public.journal.updated_at IS 'Time of the entry''s last change, UTC.';

-- An order that opened a trade stands for the trade, which then may have two entries: a sum counts
-- each trade once.
CREATE OR REPLACE VIEW public.journal_trades
WITH (security_invoker = TRUE) AS
SELECT
    e.id AS entry_id,
    e.user_id,
    'trade' AS scope,
    t.trading_order_id AS order_id
FROM public.journal_entries AS e
INNER JOIN public.mt5_trips AS t
    ON e.account_id = t.account_id AND e.position_id = t.position_id AND e.leg = t.leg
WHERE t.trading_order_id IS NOT NULL
UNION ALL
SELECT
    e.id AS entry_id,
    e.user_id,
    'trade' AS scope,
    o.id AS order_id
FROM public.journal_entries AS e
INNER JOIN public.trading_orders AS o
    ON e.account_id = o.account_id AND e.order_ticket::text = o.mt5_order_id
UNION ALL
SELECT
    e.id AS entry_id,
    e.user_id,
    'day' AS scope,
    o.id AS order_id
FROM public.journal_entries AS e
INNER JOIN public.trading_orders AS o
    ON
        e.user_id = o.user_id
        AND (e.account_id IS NULL OR e.account_id = o.account_id)
        AND o.closed_at >= public.clock_day_start(e.day::timestamp, e.clock)
        AND o.closed_at < public.clock_day_start(e.day::timestamp + interval '1 day', e.clock)
WHERE e.day IS NOT NULL AND o.close_price IS NOT NULL;
COMMENT ON VIEW public.journal_trades IS
'Trades that each entry of the journal is about: of a trip or an opening order the one, of a day
those that were closed on it by its clock.';
COMMENT ON COLUMN public.journal_trades.entry_id IS 'Entry.';
COMMENT ON COLUMN public.journal_trades.user_id IS 'Owner.';
COMMENT ON COLUMN public.journal_trades.scope IS
'trade: the entry is of this trade; day: of a day with it.';
COMMENT ON COLUMN public.journal_trades.order_id IS 'Trade: its row in trading_orders.';
