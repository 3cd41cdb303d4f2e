-- 3481_mt5_reconciliations.sql: each gap between a balance and the deals, explained or not.

CALL deploy.become_owner();

-- Per account the amounts are the balance MT5 gives less all deals stored. The rest that nothing
-- known explains has no row of its own anywhere: the view looks for the days between whose last
-- snapshots the distance of balance and deals changes. A snapshot within a minute of a deal tells
-- nothing, since the clocks of terminal and server differ.
CREATE OR REPLACE VIEW public.mt5_reconciliations
WITH (security_invoker = TRUE) AS
WITH known AS (
    SELECT
        s.account_id,
        NULL::timestamptz AS period_start,
        s.history_from::timestamptz AS period_end,
        s.opening_balance::numeric AS amount,
        'opening balance' AS reason,
        (
            SELECT format('report %s', min(r.id))
            FROM public.mt5_reports AS r
            WHERE r.account_id = s.account_id AND r.opening_balance IS NOT NULL
            HAVING count(*) > 0
        ) AS evidence,
        TRUE AS is_explained,
        'rule' AS made_by
    FROM public.mt5_account_states AS s
    WHERE s.opening_balance <> 0
    UNION ALL
    SELECT
        e.account_id,
        e.period_start,
        coalesce(d.executed_at, e.period_end) AS period_end,
        coalesce(e.amount, -(d.profit + d.commission + d.swap + d.fee)) AS amount,
        e.reason,
        e.evidence,
        e.is_explained,
        e.made_by
    FROM public.mt5_explanations AS e
    LEFT JOIN public.trading_deals AS d
        ON e.account_id = d.account_id AND e.deal_ticket = d.ticket
),

deals AS (
    SELECT
        d.account_id,
        d.executed_at,
        d.profit + d.commission + d.swap + d.fee AS amount
    FROM public.trading_deals AS d
    LEFT JOIN public.mt5_deal_types AS t ON d.type = t.code
    WHERE t.effect IS DISTINCT FROM 'credit'
),

sums AS (
    SELECT
        d.account_id,
        sum(d.amount) AS amount,
        max(d.executed_at) AS latest
    FROM deals AS d
    GROUP BY d.account_id
),

known_sums AS (
    SELECT
        k.account_id,
        sum(k.amount) AS amount
    FROM known AS k
    GROUP BY k.account_id
),

open_gaps AS MATERIALIZED (
    SELECT
        s.account_id,
        s.balance,
        s.taken_at,
        s.currency_digits
    FROM public.mt5_account_states AS s
    INNER JOIN sums AS m ON s.account_id = m.account_id
    LEFT JOIN known_sums AS k ON s.account_id = k.account_id
    WHERE
        m.latest <= s.taken_at
        AND round(s.balance - m.amount - coalesce(k.amount, 0), s.currency_digits) <> 0
),

days AS (
    SELECT
        g.account_id,
        n.session_id,
        (n.timestamp AT TIME ZONE 'UTC')::date AS day,
        max(n.timestamp) AS latest
    FROM open_gaps AS g
    INNER JOIN public.mt5_sessions AS m ON g.account_id = m.account_id
    INNER JOIN public.account_snapshots AS n
        ON m.session_id = n.session_id AND g.taken_at > n.timestamp
    GROUP BY g.account_id, n.session_id, (n.timestamp AT TIME ZONE 'UTC')::date
),

last_of_days AS (
    SELECT DISTINCT ON (d.account_id, d.day)
        d.account_id,
        d.session_id,
        d.latest
    FROM days AS d
    ORDER BY d.account_id ASC, d.day ASC, d.latest DESC
),

snapshots AS (
    SELECT
        l.account_id,
        n.timestamp AS at,
        n.balance
    FROM last_of_days AS l
    INNER JOIN public.account_snapshots AS n
        ON l.session_id = n.session_id AND l.latest = n.timestamp
),

moments AS (
    SELECT
        d.account_id,
        d.executed_at AS at,
        d.amount,
        NULL::numeric AS balance,
        d.executed_at AS deal_at,
        FALSE AS is_last
    FROM deals AS d
    INNER JOIN open_gaps AS g ON d.account_id = g.account_id
    UNION ALL
    SELECT
        k.account_id,
        coalesce(k.period_end, '-infinity') AS at,
        k.amount,
        NULL AS balance,
        NULL AS deal_at,
        FALSE AS is_last
    FROM known AS k
    INNER JOIN open_gaps AS g ON k.account_id = g.account_id
    UNION ALL
    SELECT
        n.account_id,
        n.at,
        0 AS amount,
        n.balance,
        NULL AS deal_at,
        FALSE AS is_last
    FROM snapshots AS n
    UNION ALL
    SELECT
        g.account_id,
        g.taken_at AS at,
        0 AS amount,
        g.balance,
        NULL AS deal_at,
        TRUE AS is_last
    FROM open_gaps AS g
),

walked AS (
    SELECT
        m.account_id,
        m.at,
        m.is_last,
        m.balance,
        m.balance - sum(m.amount) OVER forward AS distance,
        m.at - max(m.deal_at) OVER forward AS since_deal,
        min(m.deal_at) OVER backward - m.at AS until_deal
    FROM moments AS m
    WINDOW
        forward AS (
            PARTITION BY m.account_id
            ORDER BY m.at, m.balance IS NOT NULL, m.is_last
            ROWS UNBOUNDED PRECEDING
        ),
        backward AS (
            PARTITION BY m.account_id
            ORDER BY m.at DESC, m.balance IS NOT NULL DESC, m.is_last DESC
            ROWS UNBOUNDED PRECEDING
        )
),

compared AS (
    SELECT
        w.account_id,
        lag(w.at) OVER points AS period_start,
        w.at AS period_end,
        round(w.distance - coalesce(lag(w.distance) OVER points, 0), g.currency_digits) AS amount
    FROM walked AS w
    INNER JOIN open_gaps AS g ON w.account_id = g.account_id
    WHERE
        w.balance IS NOT NULL
        AND (
            w.is_last
            OR (
                coalesce(w.since_deal > interval '1 minute', TRUE)
                AND coalesce(w.until_deal > interval '1 minute', TRUE)
            )
        )
    WINDOW points AS (PARTITION BY w.account_id ORDER BY w.at, w.is_last)
)

SELECT
    k.account_id,
    k.period_start,
    k.period_end,
    k.amount,
    k.reason,
    k.evidence,
    k.is_explained,
    k.made_by
FROM known AS k
UNION ALL
SELECT
    c.account_id,
    c.period_start,
    c.period_end,
    c.amount,
    'not explained' AS reason,
    NULL AS evidence,
    FALSE AS is_explained,
    NULL AS made_by
FROM compared AS c
WHERE c.amount <> 0;

COMMENT ON VIEW public.mt5_reconciliations IS
'Each gap between the balance MT5 gives and the deals stored, explained or not; an account''s
amounts are its balance less its deals. Ask for one account. Gaps are explained in
mt5_explanations.';
COMMENT ON COLUMN public.mt5_reconciliations.account_id IS 'Trading account.';
COMMENT ON COLUMN public.mt5_reconciliations.period_start IS
'Last moment, included, at which the balance was still right, UTC; NULL when unknown.';
COMMENT ON COLUMN public.mt5_reconciliations.period_end IS
'First moment, included, at which it was not, UTC; NULL for before the first deal.';
COMMENT ON COLUMN public.mt5_reconciliations.amount IS
'Balance beyond the sum of the deals, account currency; negative for less.';
COMMENT ON COLUMN public.mt5_reconciliations.reason IS
'opening balance, not explained, or the reason in mt5_explanations.';
COMMENT ON COLUMN public.mt5_reconciliations.evidence IS
'The report that shows the amount, or the evidence in mt5_explanations.';
COMMENT ON COLUMN public.mt5_reconciliations.is_explained IS
'TRUE when the proof of balances takes it away.';
COMMENT ON COLUMN public.mt5_reconciliations.made_by IS
'person or rule; NULL while nobody has explained it.';
