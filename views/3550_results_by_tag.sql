-- 3550_results_by_tag.sql: results of trades by tag, and by rule of a checklist kept or broken.

CALL deploy.become_owner();

-- Money of two currencies has no sum: a row for each. DISTINCT, because a trade may have the tag by
-- its trip and by its order; with the owner in each step, so that one user reads no other's rows.
CREATE OR REPLACE VIEW public.tag_results
WITH (security_invoker = TRUE) AS
WITH tagged AS (
    SELECT DISTINCT
        s.user_id,
        s.tag_id,
        j.scope,
        j.order_id
    FROM public.journal_entry_tags AS s
    INNER JOIN public.journal_trades AS j ON s.entry_id = j.entry_id AND s.user_id = j.user_id
)

SELECT
    s.user_id,
    g.id AS tag_id,
    g.kind,
    g.name,
    s.scope,
    t.currency,
    count(*) AS trades,
    count(*) FILTER (WHERE t.side = 1) AS winning_trades,
    count(*) FILTER (WHERE t.side = -1) AS losing_trades,
    100.0 * count(*) FILTER (WHERE t.side = 1) / count(*) AS win_rate,
    sum(t.net) AS net_profit,
    avg(t.net) AS average_profit,
    count(r.r) AS trades_in_r,
    avg(r.r) AS expectancy_r
FROM tagged AS s
INNER JOIN public.journal_tags AS g ON s.tag_id = g.id
INNER JOIN public.closed_trades AS t ON s.order_id = t.order_id AND s.user_id = t.user_id
LEFT JOIN public.trip_risks AS r ON s.order_id = r.trading_order_id
GROUP BY s.user_id, g.id, s.scope, t.currency;
COMMENT ON VIEW public.tag_results IS
'Results of closed trades by tag, one row a tag, scope and currency. A trade with several tags
counts for each: the rows have no sum.';
COMMENT ON COLUMN public.tag_results.tag_id IS 'Tag.';
COMMENT ON COLUMN public.tag_results.kind IS 'setup, mistake, market or emotion.';
COMMENT ON COLUMN public.tag_results.name IS 'Tag in the user''s own words.';

CREATE OR REPLACE VIEW public.checklist_results
WITH (security_invoker = TRUE) AS
WITH answered AS (
    SELECT DISTINCT
        a.user_id,
        a.question_id,
        a.is_kept,
        j.scope,
        j.order_id
    FROM public.journal_answers AS a
    INNER JOIN public.journal_trades AS j ON a.entry_id = j.entry_id AND a.user_id = j.user_id
)

SELECT
    s.user_id,
    q.id AS question_id,
    q.strategy_id,
    q.question,
    s.is_kept,
    s.scope,
    t.currency,
    count(*) AS trades,
    count(*) FILTER (WHERE t.side = 1) AS winning_trades,
    count(*) FILTER (WHERE t.side = -1) AS losing_trades,
    100.0 * count(*) FILTER (WHERE t.side = 1) / count(*) AS win_rate,
    sum(t.net) AS net_profit,
    avg(t.net) AS average_profit,
    count(r.r) AS trades_in_r,
    avg(r.r) AS expectancy_r
FROM answered AS s
INNER JOIN public.journal_questions AS q ON s.question_id = q.id
INNER JOIN public.closed_trades AS t ON s.order_id = t.order_id AND s.user_id = t.user_id
LEFT JOIN public.trip_risks AS r ON s.order_id = r.trading_order_id
GROUP BY s.user_id, q.id, s.is_kept, s.scope, t.currency;
COMMENT ON VIEW public.checklist_results IS
'Results of closed trades by rule of a checklist, kept and broken apart, one row a scope and
currency.';
COMMENT ON COLUMN public.checklist_results.question_id IS 'Question of the checklist.';
COMMENT ON COLUMN public.checklist_results.strategy_id IS
'Strategy the question belongs to; NULL for all trades.';
COMMENT ON COLUMN public.checklist_results.question IS 'Question in the user''s own words.';
COMMENT ON COLUMN public.checklist_results.is_kept IS 'Whether the rule was kept; FALSE: broken.';

-- columns that both views share
CALL deploy.comment_columns(
    ARRAY[
        'public.tag_results'::regclass,
        'public.checklist_results'::regclass
    ],
    '{
        "user_id": "Owner.",
        "scope": "trade: said of the trade itself; day: of the day it was closed on.",
        "currency": "Currency of the money columns; NULL without an account.",
        "trades": "Closed trades.",
        "winning_trades": "Trades with a net result above zero.",
        "losing_trades": "Trades with a net result below zero.",
        "win_rate": "Winning trades in percent of all, 0 to 100.",
        "net_profit": "Sum of net results, account currency.",
        "average_profit": "Mean net result of a trade, account currency.",
        "trades_in_r": "Trades whose risk is known, see trip_risks.",
        "expectancy_r": "Mean result of those in R; NULL without one."
    }'
);
