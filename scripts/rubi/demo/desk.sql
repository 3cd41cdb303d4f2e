-- desk.sql: rules and tags of the demo's account.

-- RULES: limits of the account from its first day on. The stand-in terminal is gone when somebody
-- looks at the report: no rule is called stale.
INSERT INTO risk_rules (
    user_id, account_id, name, kind, amount, unit, initial_capital, clock, max_age, valid_from
)
SELECT (SELECT a.user_id FROM mt5_accounts AS a WHERE a.id = %(account)s), %(account)s,
    r.name, r.kind, r.amount, r.unit, r.initial_capital, 'America/New_York+7', NULL, r.valid_from
FROM (
    VALUES ('Daily loss', 'daily_loss', 1000, 'money', NULL::numeric, %(since)s::timestamptz),
    ('Maximum loss', 'maximum_loss', 20, 'percent_of_initial', %(capital)s, %(since)s),
    ('Profit target', 'profit_target', 50, 'percent_of_initial', %(capital)s, %(since)s),
    ('Four positions at most', 'maximum_positions', 4, 'positions', NULL, %(since)s)
) AS r (name, kind, amount, unit, initial_capital, valid_from);

-- TAGS: a turn soon after the one before it is another thing than one after a long trend
WITH entries AS (
    INSERT INTO journal_entries (user_id, account_id, position_id, leg)
    SELECT a.user_id, t.account_id, t.position_id, t.leg
    FROM mt5_trips AS t
    INNER JOIN mt5_accounts AS a ON t.account_id = a.id
    WHERE t.account_id = %(account)s
    RETURNING id AS entry_id, user_id, account_id, position_id, leg
),

tags AS (
    INSERT INTO journal_tags (user_id, kind, name)
    SELECT a.user_id, v.kind, v.name
    FROM mt5_accounts AS a
    CROSS JOIN (
        VALUES ('setup', 'after a long trend'), ('market', 'turned soon after a turn')
    ) AS v (kind, name)
    WHERE a.id = %(account)s
    RETURNING id AS tag_id, kind
),

turns AS (
    SELECT t.account_id, t.position_id, t.leg, t.opened_at - lag(t.opened_at) OVER w
        < avg(t.closed_at - t.opened_at) OVER (PARTITION BY t.symbol) / 2 AS is_soon
    FROM mt5_trips AS t
    WHERE t.account_id = %(account)s
    WINDOW w AS (PARTITION BY t.symbol ORDER BY t.opened_at)
)

INSERT INTO journal_entry_tags (user_id, entry_id, tag_id)
SELECT e.user_id, e.entry_id, g.tag_id
FROM turns AS t
INNER JOIN entries AS e
    ON t.account_id = e.account_id AND t.position_id = e.position_id AND t.leg = e.leg
INNER JOIN tags AS g ON (CASE WHEN t.is_soon THEN 'market' ELSE 'setup' END) = g.kind;
