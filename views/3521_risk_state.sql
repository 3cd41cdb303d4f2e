-- 3521_risk_state.sql: how each rule stands now.

CALL deploy.become_owner();

-- Of the days of an account by the clock of a rule.
CREATE OR REPLACE VIEW public.risk_days
WITH (security_invoker = TRUE) AS
SELECT
    d.rule_id,
    d.day,
    sum(d.opened) AS opened,
    sum(d.net) AS net
FROM (
    SELECT
        r.id AS rule_id,
        public.utc_to_clock(o.opened_at, r.clock)::date AS day,
        1 AS opened,
        0 AS net
    FROM public.risk_rules AS r
    INNER JOIN public.trading_orders AS o ON r.account_id = o.account_id
    WHERE
        r.kind IN ('trading_days', 'consistency')
        -- a pending order opens a trade only when it is filled: deals or a closing price tell
        AND (
            o.order_type IN ('BUY', 'SELL')
            OR o.close_price IS NOT NULL
            OR EXISTS (
                SELECT FROM public.mt5_trips AS t
                WHERE t.trading_order_id = o.id
            )
        )
        AND o.opened_at >= r.valid_from
        AND o.opened_at < r.valid_to
    UNION ALL
    SELECT
        r.id AS rule_id,
        public.utc_to_clock(t.closed_at, r.clock)::date AS day,
        0 AS opened,
        t.net
    FROM public.risk_rules AS r
    INNER JOIN public.closed_trades AS t ON r.account_id = t.account_id
    WHERE
        r.kind IN ('trading_days', 'consistency')
        AND t.closed_at >= r.valid_from
        AND t.closed_at < r.valid_to
) AS d
GROUP BY d.rule_id, d.day;
COMMENT ON VIEW public.risk_days IS
'Days with trades of the accounts that have rules on days, by the rule''s clock.';
COMMENT ON COLUMN public.risk_days.rule_id IS 'Rule.';
COMMENT ON COLUMN public.risk_days.day IS 'Day by the rule''s clock.';
COMMENT ON COLUMN public.risk_days.opened IS 'Trades opened.';
COMMENT ON COLUMN public.risk_days.net IS 'Net result of the trades closed, account currency.';

CREATE OR REPLACE VIEW public.risk_state
WITH (security_invoker = TRUE) AS
WITH measured AS (
    SELECT
        r.id AS rule_id,
        public.find_risk_level(r, s.opening, s.highest) AS level,
        CASE r.kind
            WHEN 'profit_target' THEN public.find_risk_basis(r, l.balance, l.equity)
            -- the 0 of a first session that no heartbeat has followed
            ELSE CASE WHEN l.equity <> 0 OR s.rule_id IS NOT NULL THEN l.equity END
        END AS value,
        public.find_risk_limit(r, s.opening) AS amount,
        s.worst_room,
        s.worst_at,
        l.last_ping AS as_of
    FROM public.risk_rules AS r
    LEFT JOIN public.risk_states AS s ON r.id = s.rule_id
    LEFT JOIN LATERAL (
        SELECT
            m.last_ping,
            m.balance,
            m.equity
        FROM public.mt5_sessions AS m
        WHERE m.account_id = r.account_id
        ORDER BY m.last_ping DESC, m.id DESC
        LIMIT 1
    ) AS l ON TRUE
    WHERE r.kind IN ('daily_loss', 'maximum_loss', 'trailing_day', 'trailing', 'profit_target')
    UNION ALL
    SELECT
        r.id AS rule_id,
        CASE r.kind WHEN 'no_weekend' THEN 0 ELSE r.amount END AS level,
        CASE r.kind WHEN 'maximum_lots' THEN p.volume ELSE p.positions END AS value,
        r.amount,
        NULL AS worst_room,
        NULL AS worst_at,
        CASE
            WHEN r.account_id IS NULL THEN h.as_of
            ELSE (
                SELECT max(m.last_ping)
                FROM public.mt5_sessions AS m
                WHERE m.account_id = r.account_id
            )
        END AS as_of
    FROM public.risk_rules AS r
    -- Not risk_positions, which joins rules: all positions would be read for each rule.
    CROSS JOIN
        LATERAL (
            SELECT
                count(*) AS positions,
                coalesce(sum(p.volume), 0) AS volume
            FROM (
                SELECT a.volume
                FROM public.trading_positions AS a
                WHERE a.account_id = r.account_id
                UNION ALL
                SELECT s.volume
                FROM public.strategy_positions AS s
                WHERE s.strategy_id = r.strategy_id
            ) AS p
        ) AS p
    -- Of a strategy the account that was heard of longest ago counts, with positions or not: a
    -- silent one may have opened some. An account that was never heard of makes it NULL.
    CROSS JOIN
        LATERAL (
            SELECT
                CASE
                    WHEN count(*) = count(a.last_ping) THEN coalesce(min(a.last_ping), now())
                END AS as_of
            FROM public.strategy_accounts AS c
            CROSS JOIN
                LATERAL (
                    SELECT max(m.last_ping) AS last_ping
                    FROM public.mt5_sessions AS m
                    WHERE m.account_id = c.account_id
                ) AS a
            WHERE c.strategy_id = r.strategy_id
        ) AS h
    WHERE r.kind IN ('maximum_lots', 'maximum_positions', 'no_weekend')
    UNION ALL
    SELECT
        r.id AS rule_id,
        r.amount AS level,
        CASE r.kind
            WHEN 'trading_days' THEN d.days
            ELSE 100 * d.best / nullif(greatest(d.net, 0), 0)
        END AS value,
        r.amount,
        NULL AS worst_room,
        NULL AS worst_at,
        now() AS as_of
    FROM public.risk_rules AS r
    CROSS JOIN
        LATERAL (
            SELECT
                count(*) FILTER (
                    WHERE CASE
                        WHEN r.least_day_profit IS NULL THEN d.opened > 0
                        ELSE d.net >= r.least_day_profit
                    END
                ) AS days,
                max(d.net) AS best,
                sum(d.net) AS net
            FROM public.risk_days AS d
            WHERE d.rule_id = r.id
        ) AS d
    WHERE r.kind IN ('trading_days', 'consistency')
),

judged AS (
    SELECT
        r AS rule,
        r.*,
        m.level,
        m.value,
        m.amount AS limit_amount,
        m.worst_room,
        m.worst_at,
        m.as_of,
        -- an account that was never heard of is as good as one that fell silent, and so is one that
        -- a client's clock has put ahead of the minute that the gateway's calls may be
        r.kind NOT IN ('trading_days', 'consistency')
        AND r.max_age IS NOT NULL
        AND (m.as_of BETWEEN now() - r.max_age AND now() + interval '1 minute') IS NOT TRUE
            AS is_stale,
        CASE
            WHEN r.kind IN ('daily_loss', 'maximum_loss', 'trailing_day', 'trailing')
                THEN m.value - m.level
            ELSE m.level - m.value
        END AS room,
        exists(
            SELECT FROM public.risk_breaches AS b
            WHERE
                b.rule_id = r.id
                AND b.event = 'breach'
                AND (r.is_final OR b.day = public.utc_to_clock(now(), r.clock)::date)
        ) AS is_broken
    FROM public.risk_rules AS r
    INNER JOIN measured AS m ON r.id = m.rule_id
    WHERE r.valid_from <= now() AND r.valid_to > now()
)

SELECT
    j.id AS rule_id,
    j.user_id,
    j.account_id,
    j.strategy_id,
    j.name,
    j.kind,
    j.level,
    j.value,
    j.room,
    CASE
        WHEN j.kind IN ('daily_loss', 'maximum_loss', 'trailing_day', 'trailing')
            THEN greatest(1 - j.room / nullif(j.limit_amount, 0), 0)
        WHEN j.kind = 'profit_target'
            THEN greatest(1 - j.room / nullif(j.limit_amount, 0), 0)
        ELSE j.value / nullif(j.level, 0)
    END AS share_used,
    CASE
        WHEN j.kind IN ('daily_loss', 'maximum_loss', 'trailing_day', 'trailing')
            THEN j.room + coalesce(
                (
                    SELECT w.result FROM public.risk_of_stops AS w
                    WHERE w.account_id = j.account_id
                ),
                CASE WHEN NOT EXISTS (
                    SELECT FROM public.trading_positions AS p
                    WHERE p.account_id = j.account_id
                ) THEN 0 END
            )
    END AS projected_room,
    j.worst_room,
    j.worst_at,
    CASE
        WHEN j.is_broken OR (j.kind = 'consistency' AND j.room < 0) THEN 'broken'
        WHEN j.value IS NULL OR j.level IS NULL THEN 'unknown'
        WHEN j.is_stale THEN 'stale'
        WHEN j.kind IN ('profit_target', 'trading_days')
            THEN CASE WHEN j.room <= 0 THEN 'reached' ELSE 'open' END
        WHEN j.kind = 'no_weekend'
            THEN CASE
                WHEN public.is_risk_weekend(j.rule, now()) AND j.value > 0
                    THEN 'broken'
                ELSE 'ok'
            END
        -- by a heartbeat whose snapshot has not come: nothing is told in risk_breaches before
        WHEN
            j.kind IN ('daily_loss', 'maximum_loss', 'trailing_day', 'trailing')
            AND (j.room < 0 OR (j.touching_breaks AND j.room = 0))
            THEN 'broken'
        WHEN j.room <= (1 - j.warning_share) * j.limit_amount THEN 'warning'
        ELSE 'ok'
    END AS status,
    j.is_broken
    OR (j.is_stale AND j.kind <> 'profit_target')
    OR (j.kind IN ('maximum_lots', 'maximum_positions') AND j.room <= 0)
    OR (j.kind = 'no_weekend' AND public.is_risk_weekend(j.rule, now()))
    OR (
        j.kind IN ('daily_loss', 'maximum_loss', 'trailing_day', 'trailing')
        AND (j.room <= 0) IS NOT FALSE
    ) AS forbids_trading,
    j.as_of,
    j.is_stale
FROM judged AS j;
COMMENT ON VIEW public.risk_state IS
'Rules that hold now: limit, value, room left, worst so far, and whether they forbid another trade.
All but those on days stand as of the latest heartbeat, and are stale when that is too old.';
COMMENT ON COLUMN public.risk_state.rule_id IS 'Rule.';
COMMENT ON COLUMN public.risk_state.user_id IS 'Owner.';
COMMENT ON COLUMN public.risk_state.account_id IS 'Account; NULL for a strategy''s rule.';
COMMENT ON COLUMN public.risk_state.strategy_id IS 'Strategy; NULL for an account''s rule.';
COMMENT ON COLUMN public.risk_state.name IS 'What the rule is called.';
COMMENT ON COLUMN public.risk_state.kind IS 'Kind of the rule, see risk_rules.';
COMMENT ON COLUMN public.risk_state.level IS
'Limit now: equity in account currency, lots, positions, days or percent; NULL before the first
heartbeat.';
COMMENT ON COLUMN public.risk_state.value IS
'What is measured by it: equity (a target''s basis), lots, positions, days, share of the best day.';
COMMENT ON COLUMN public.risk_state.room IS
'What is left before the rule is broken, or missing to what it asks for; below 0 beyond.';
COMMENT ON COLUMN public.risk_state.share_used IS
'Share of the limit that is used up, 0 at the start, 1 at the limit.';
COMMENT ON COLUMN public.risk_state.projected_room IS
'Room that would be left if all stop losses were hit now, account currency; NULL while a position
has none, and for rules that are not of equity.';
COMMENT ON COLUMN public.risk_state.worst_room IS
'Least room that any heartbeat left, account currency; NULL for rules that are not of equity.';
COMMENT ON COLUMN public.risk_state.worst_at IS 'When that was, UTC.';
COMMENT ON COLUMN public.risk_state.status IS
'ok, warning, broken; open or reached for what is to be reached; unknown before a heartbeat, stale
when the latest is older than the rule''s max_age.';
COMMENT ON COLUMN public.risk_state.forbids_trading IS
'Whether another position is forbidden: the rule is broken, at its limit, unknown or stale.';
COMMENT ON COLUMN public.risk_state.as_of IS
'Moment of the value, UTC: the latest heartbeat of the account; of a strategy''s rule that of the
account of strategy_accounts that was heard of longest ago, NULL where one never was; now for rules
on days.';
COMMENT ON COLUMN public.risk_state.is_stale IS
'Whether as_of is older than the rule''s max_age, unknown, or more than a minute ahead.';
