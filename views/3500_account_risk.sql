-- 3500_account_risk.sql: distance of each account from trouble.

CALL deploy.become_owner();

-- The high is read of all snapshots: 110 ms for a million of an account, 30 for the same 116 days
-- thinned. A kept one would have to follow rows that come late, are corrected or go.
CREATE OR REPLACE VIEW public.account_risk
WITH (security_invoker = TRUE) AS
WITH latest AS (
    SELECT
        a.user_id,
        a.id AS account_id,
        a.account_number,
        a.broker,
        a.currency,
        CASE WHEN a.margin_so_mode = 0 THEN a.margin_so_call END AS margin_call_level,
        CASE WHEN a.margin_so_mode = 0 THEN a.margin_so_so END AS stop_out_level,
        l.last_ping AS as_of,
        l.balance,
        l.equity,
        l.margin,
        greatest(
            l.equity,
            (
                SELECT max(s.equity)
                FROM public.snapshots_by_account AS s
                WHERE s.account_id = a.id
            )
        ) AS equity_high,
        public.find_server_day_start(a.id, now()) AS day_start
    FROM public.mt5_accounts AS a
    CROSS JOIN LATERAL (
        SELECT
            s.last_ping,
            s.balance,
            s.equity,
            s.margin
        FROM public.mt5_sessions AS s
        WHERE s.account_id = a.id
        ORDER BY s.last_ping DESC, s.id DESC
        LIMIT 1
    ) AS l
)

SELECT
    l.user_id,
    l.account_id,
    l.account_number,
    l.broker,
    l.currency,
    l.as_of,
    l.balance,
    l.equity,
    l.margin,
    CASE WHEN l.margin > 0 THEN 100 * l.equity / l.margin END AS margin_level,
    l.equity_high,
    l.equity_high - l.equity AS drawdown,
    CASE WHEN l.equity_high > 0 THEN 100 * (l.equity_high - l.equity) / l.equity_high END
        AS drawdown_percent,
    l.day_start,
    d.balance AS day_balance,
    d.equity AS day_equity,
    greatest(d.balance - l.equity, 0) AS loss_against_balance,
    greatest(d.equity - l.equity, 0) AS loss_against_equity,
    l.margin_call_level,
    l.stop_out_level,
    CASE WHEN l.margin > 0 THEN l.equity - l.margin * l.margin_call_level / 100 END
        AS distance_to_margin_call,
    CASE WHEN l.margin > 0 THEN l.equity - l.margin * l.stop_out_level / 100 END
        AS distance_to_stop_out
FROM latest AS l
CROSS JOIN LATERAL public.find_account_snapshot(l.account_id, l.day_start, TRUE) AS d;

COMMENT ON VIEW public.account_risk IS
'Accounts by their latest heartbeat: fall from the highest equity, loss of the server''s day, and
distance to margin call and stop-out.';
COMMENT ON COLUMN public.account_risk.user_id IS 'Owner.';
COMMENT ON COLUMN public.account_risk.account_id IS 'Trading account.';
COMMENT ON COLUMN public.account_risk.account_number IS 'Login at the broker''s server.';
COMMENT ON COLUMN public.account_risk.broker IS 'Name of the broker.';
COMMENT ON COLUMN public.account_risk.currency IS 'Currency of the money columns.';
COMMENT ON COLUMN public.account_risk.as_of IS
'Latest heartbeat of any of its sessions, the time of the figures, UTC.';
COMMENT ON COLUMN public.account_risk.balance IS 'Balance, account currency.';
COMMENT ON COLUMN public.account_risk.equity IS 'Balance plus floating result, account currency.';
COMMENT ON COLUMN public.account_risk.margin IS 'Margin in use, account currency.';
COMMENT ON COLUMN public.account_risk.margin_level IS
'Equity over margin in percent; NULL when no margin is in use.';
COMMENT ON COLUMN public.account_risk.equity_high IS
'Equity high-water mark: the highest of all snapshots and now, account currency.';
COMMENT ON COLUMN public.account_risk.drawdown IS
'Equity below that mark, account currency, 0 or positive.';
COMMENT ON COLUMN public.account_risk.drawdown_percent IS
'Drawdown in percent of the mark; NULL while the mark is not positive.';
COMMENT ON COLUMN public.account_risk.day_start IS 'Beginning of the server''s day, UTC.';
COMMENT ON COLUMN public.account_risk.day_balance IS
'Balance the day opened with: the last snapshot before it, else the first within; account
currency.';
COMMENT ON COLUMN public.account_risk.day_equity IS 'Equity the day opened with, account currency.';
COMMENT ON COLUMN public.account_risk.loss_against_balance IS
'Equity below the day''s opening balance, account currency, 0 or positive.';
COMMENT ON COLUMN public.account_risk.loss_against_equity IS
'Equity below the day''s opening equity, account currency, 0 or positive.';
COMMENT ON COLUMN public.account_risk.margin_call_level IS
'Margin level of the margin call, percent; NULL while unknown or given in money.';
COMMENT ON COLUMN public.account_risk.stop_out_level IS
'Margin level of the stop-out, percent; NULL while unknown or given in money.';
COMMENT ON COLUMN public.account_risk.distance_to_margin_call IS
'Loss of equity until the margin call, account currency, negative after the call; NULL when no
margin is in use or the level is unknown.';
COMMENT ON COLUMN public.account_risk.distance_to_stop_out IS
'Loss of equity until the stop-out, account currency; NULL as for the margin call.';
