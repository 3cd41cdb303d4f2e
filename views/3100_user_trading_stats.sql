-- 3100_user_trading_stats.sql: activity and result of each user.

CALL deploy.become_owner();

-- Each child is summed on its own and joined as one row a user: joining the children themselves
-- would multiply their rows (4 strategies x 400 signals x 200 orders count each order 1,600 times).
-- A filter on user_id reaches into each of the three sums.
CREATE OR REPLACE VIEW public.user_trading_stats
WITH (security_invoker = TRUE) AS
WITH strategies AS (
    SELECT
        t.user_id,
        count(*) AS total_strategies
    FROM public.trading_strategies AS t
    GROUP BY t.user_id
),

signals AS (
    SELECT
        t.user_id,
        count(*) AS total_signals,
        count(*) FILTER (WHERE t.status = 'EXECUTED') AS executed_signals
    FROM public.trading_signals AS t
    GROUP BY t.user_id
),

orders AS (
    SELECT
        t.user_id,
        count(*) AS total_orders,
        count(*) FILTER (WHERE t.closed_at IS NULL) AS open_orders,
        sum(t.profit) AS total_profit,
        avg(t.profit) AS average_profit
    FROM public.trading_orders AS t
    GROUP BY t.user_id
)

SELECT
    u.id AS user_id,
    u.username,
    coalesce(st.total_strategies, 0) AS total_strategies,
    coalesce(si.total_signals, 0) AS total_signals,
    coalesce(si.executed_signals, 0) AS executed_signals,
    coalesce(o.total_orders, 0) AS total_orders,
    coalesce(o.open_orders, 0) AS open_orders,
    coalesce(o.total_profit, 0) AS total_profit,
    coalesce(o.average_profit, 0) AS average_profit
FROM public.users AS u
LEFT JOIN strategies AS st ON u.id = st.user_id
LEFT JOIN signals AS si ON u.id = si.user_id
LEFT JOIN orders AS o ON u.id = o.user_id;

COMMENT ON VIEW public.user_trading_stats IS
'One row a user: counts of strategies, signals and orders, and the sum and mean of order profit.';
COMMENT ON COLUMN public.user_trading_stats.user_id IS 'User.';
COMMENT ON COLUMN public.user_trading_stats.username IS 'Login name.';
COMMENT ON COLUMN public.user_trading_stats.total_strategies IS 'Strategies, active or not.';
COMMENT ON COLUMN public.user_trading_stats.total_signals IS 'Signals in any state.';
COMMENT ON COLUMN public.user_trading_stats.executed_signals IS 'Signals that were executed.';
COMMENT ON COLUMN public.user_trading_stats.total_orders IS 'Orders, open or closed.';
COMMENT ON COLUMN public.user_trading_stats.open_orders IS 'Orders without a closing time.';
COMMENT ON COLUMN public.user_trading_stats.total_profit IS
'Sum of order profit before commission and swap, account currency; 0 without orders. Of several
currencies the bare numbers are added: daily_results has a row a currency.';
COMMENT ON COLUMN public.user_trading_stats.average_profit IS
'Mean of order profit as in total_profit; 0 without orders.';
