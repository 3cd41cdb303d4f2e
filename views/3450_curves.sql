-- 3450_curves.sql: equity by day, and trades in a row.

CALL deploy.become_owner();

CREATE OR REPLACE VIEW public.daily_equity
WITH (security_invoker = TRUE) AS
WITH days AS (
    SELECT
        s.user_id,
        s.account_id,
        (s.timestamp AT TIME ZONE 'UTC')::date AS day,
        -- of two sessions' at a moment the one that find_account_snapshot() takes
        (array_agg(s.balance ORDER BY s.timestamp DESC, s.session_id DESC))[1] AS balance,
        (array_agg(s.equity ORDER BY s.timestamp DESC, s.session_id DESC))[1] AS equity,
        min(s.equity) AS lowest_equity,
        max(s.equity) AS highest_equity
    FROM public.snapshots_by_account AS s
    GROUP BY s.user_id, s.account_id, day
),

highs AS (
    SELECT
        d.user_id,
        d.account_id,
        d.day,
        d.balance,
        d.equity,
        d.lowest_equity,
        d.highest_equity,
        max(d.highest_equity) OVER (
            PARTITION BY d.account_id
            ORDER BY d.day
            ROWS UNBOUNDED PRECEDING
        ) AS equity_high
    FROM days AS d
)

SELECT
    h.user_id,
    h.account_id,
    a.currency,
    h.day,
    h.balance,
    h.equity,
    h.lowest_equity,
    h.highest_equity,
    h.equity_high,
    h.equity_high - h.equity AS drawdown,
    CASE WHEN h.equity_high > 0 THEN 100 * (h.equity_high - h.equity) / h.equity_high END
        AS drawdown_percent
FROM highs AS h
INNER JOIN public.mt5_accounts AS a ON h.account_id = a.id;

COMMENT ON VIEW public.daily_equity IS
'Equity curve and drawdown of each account by UTC day with snapshots. The curve is the account''s
own: a deposit raises the curve, a withdrawal lowers the curve.';
COMMENT ON COLUMN public.daily_equity.user_id IS 'Owner.';
COMMENT ON COLUMN public.daily_equity.account_id IS 'Trading account.';
COMMENT ON COLUMN public.daily_equity.currency IS 'Currency of the money columns.';
COMMENT ON COLUMN public.daily_equity.day IS 'UTC day.';
COMMENT ON COLUMN public.daily_equity.balance IS 'Last balance of the day, account currency.';
COMMENT ON COLUMN public.daily_equity.equity IS 'Last equity of the day, account currency.';
COMMENT ON COLUMN public.daily_equity.lowest_equity IS
'Lowest equity of the day, account currency.';
COMMENT ON COLUMN public.daily_equity.highest_equity IS
'Highest equity of the day, account currency.';
COMMENT ON COLUMN public.daily_equity.equity_high IS
'Highest equity of all snapshots up to the day, account currency.';
COMMENT ON COLUMN public.daily_equity.drawdown IS
'Last equity below that high, account currency, 0 or positive.';
COMMENT ON COLUMN public.daily_equity.drawdown_percent IS
'Drawdown in percent of the high; NULL while the high is not positive.';

CREATE OR REPLACE VIEW public.trade_series
WITH (security_invoker = TRUE) AS
WITH turns AS (
    SELECT
        t.user_id,
        t.strategy_id,
        t.currency,
        t.order_id,
        t.side,
        t.net,
        t.closed_at,
        coalesce(t.side <> lag(t.side) OVER w, TRUE) AS is_turn
    FROM public.closed_trades AS t
    WINDOW
        w AS (
            PARTITION BY t.user_id, t.strategy_id, t.currency
            ORDER BY t.closed_at, t.order_id
        )
),

numbered AS (
    SELECT
        t.user_id,
        t.strategy_id,
        t.currency,
        t.side,
        t.net,
        t.closed_at,
        count(*) FILTER (WHERE t.is_turn) OVER (
            PARTITION BY t.user_id, t.strategy_id, t.currency
            ORDER BY t.closed_at, t.order_id
            ROWS UNBOUNDED PRECEDING
        ) AS number
    FROM turns AS t
)

SELECT
    n.user_id,
    n.strategy_id,
    n.currency,
    n.number,
    n.side,
    count(*) AS trades,
    sum(n.net) AS net_profit,
    min(n.closed_at) AS first_closed_at,
    max(n.closed_at) AS last_closed_at
FROM numbered AS n
GROUP BY n.user_id, n.strategy_id, n.currency, n.number, n.side;

COMMENT ON VIEW public.trade_series IS
'Streaks: closed trades in a row that won, lost or broke even, of each user, strategy and
currency.';
COMMENT ON COLUMN public.trade_series.user_id IS 'Owner.';
COMMENT ON COLUMN public.trade_series.strategy_id IS 'Strategy; NULL for trades without one.';
COMMENT ON COLUMN public.trade_series.currency IS
'Currency of net_profit; NULL without an account.';
COMMENT ON COLUMN public.trade_series.number IS 'Number of the series, 1 for the first.';
COMMENT ON COLUMN public.trade_series.side IS '1 for wins, -1 for losses, 0 for break-even trades.';
COMMENT ON COLUMN public.trade_series.trades IS 'Trades in the series.';
COMMENT ON COLUMN public.trade_series.net_profit IS 'Sum of their net results, account currency.';
COMMENT ON COLUMN public.trade_series.first_closed_at IS 'Closing of the first trade, UTC.';
COMMENT ON COLUMN public.trade_series.last_closed_at IS 'Closing of the last trade, UTC.';
