-- risk.sql: rules with the room left, and results by tag and by rule of a checklist.

-- RULES: how each rule stands now
SELECT s.rule_id, s.name, s.kind, a.account_number, coalesce(a.currency, '') AS currency,
    t.name AS strategy, s.level, s.value, s.room, s.share_used, s.projected_room, s.worst_room,
    s.worst_at, s.status, s.forbids_trading, s.as_of
FROM public.risk_state AS s
LEFT JOIN public.mt5_accounts AS a ON s.account_id = a.id
LEFT JOIN public.trading_strategies AS t ON s.strategy_id = t.id
WHERE s.user_id = %(user_id)s
    AND (%(account_id)s::bigint IS NULL OR s.account_id = %(account_id)s)
    AND (%(strategy_id)s::bigint IS NULL OR s.strategy_id = %(strategy_id)s)
ORDER BY a.account_number, t.name, s.rule_id;

-- TAGS: results of the trades by tag; a trade with two tags counts for both
WITH tagged AS (
    SELECT DISTINCT g.kind, g.name, j.scope, j.order_id
    FROM public.journal_tags AS g
    INNER JOIN public.journal_entry_tags AS s ON g.id = s.tag_id AND g.user_id = s.user_id
    INNER JOIN public.journal_trades AS j ON s.entry_id = j.entry_id AND s.user_id = j.user_id
    WHERE g.user_id = %(user_id)s
)

SELECT g.kind, g.name, g.scope, count(*) AS trades,
    100.0 * count(*) FILTER (WHERE t.side = 1) / count(*) AS win_rate,
    sum(t.net) AS net_profit, avg(t.net) AS average_profit, avg(r.r) AS expectancy_r
FROM tagged AS g
INNER JOIN trades AS t ON g.order_id = t.order_id
LEFT JOIN public.trip_risks AS r ON g.order_id = r.trading_order_id
GROUP BY g.kind, g.name, g.scope
ORDER BY sum(t.net) DESC, g.kind ASC, g.name ASC, g.scope ASC;

-- CHECKLIST: results of the trades by rule kept or broken
WITH answered AS (
    SELECT DISTINCT q.id, q.place, q.question, a.is_kept, j.order_id
    FROM public.journal_questions AS q
    INNER JOIN public.journal_answers AS a ON q.id = a.question_id AND q.user_id = a.user_id
    INNER JOIN public.journal_trades AS j ON a.entry_id = j.entry_id AND a.user_id = j.user_id
    WHERE q.user_id = %(user_id)s
)

SELECT q.id, q.question, q.is_kept, count(*) AS trades,
    100.0 * count(*) FILTER (WHERE t.side = 1) / count(*) AS win_rate,
    sum(t.net) AS net_profit, avg(t.net) AS average_profit, avg(r.r) AS expectancy_r
FROM answered AS q
INNER JOIN trades AS t ON q.order_id = t.order_id
LEFT JOIN public.trip_risks AS r ON q.order_id = r.trading_order_id
GROUP BY q.id, q.place, q.question, q.is_kept
ORDER BY q.place ASC, q.id ASC, q.is_kept DESC;
