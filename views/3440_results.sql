-- 3440_results.sql: results by day, month, symbol, strategy, market session, weekday and hour.

CALL deploy.become_owner();

-- Each a sum of closed_trades with the same columns, one row a user, currency and group: money of
-- two currencies has no sum. Days and months count by closing, as the metrics do; session, weekday
-- and hour by opening, which a trader can choose.
-- The columns are written out for each view. Over one view of grouping sets each would sum all
-- seven groups of all users: PostgreSQL 17 takes no condition below those. Made by a loop from one
-- string, neither the linter nor the reference pages nor a search would find a view.

CREATE OR REPLACE VIEW public.daily_results
WITH (security_invoker = TRUE) AS
SELECT
    t.user_id,
    t.currency,
    t.closed_on AS day,
    count(*) AS trades,
    count(*) FILTER (WHERE t.side = 1) AS winning_trades,
    count(*) FILTER (WHERE t.side = -1) AS losing_trades,
    100.0 * count(*) FILTER (WHERE t.side = 1) / count(*) AS win_rate,
    sum(t.net) AS net_profit,
    coalesce(sum(t.net) FILTER (WHERE t.side = 1), 0) AS gross_profit,
    coalesce(sum(t.net) FILTER (WHERE t.side = -1), 0) AS gross_loss,
    coalesce(sum(t.net) FILTER (WHERE t.side = 1), 0)
    / -sum(t.net) FILTER (WHERE t.side = -1) AS profit_factor,
    avg(t.net) AS average_profit,
    sum(t.commission) AS commission,
    sum(t.swap) AS swap,
    sum(t.volume) AS volume
FROM public.closed_trades AS t
GROUP BY 1, 2, 3;
COMMENT ON VIEW public.daily_results IS
'Results of closed trades by UTC day of closing, one row a user and currency.';
COMMENT ON COLUMN public.daily_results.day IS 'UTC day of closing.';

CREATE OR REPLACE VIEW public.monthly_results
WITH (security_invoker = TRUE) AS
SELECT
    t.user_id,
    t.currency,
    date_trunc('month', t.closed_on::timestamp)::date AS month,
    count(*) AS trades,
    count(*) FILTER (WHERE t.side = 1) AS winning_trades,
    count(*) FILTER (WHERE t.side = -1) AS losing_trades,
    100.0 * count(*) FILTER (WHERE t.side = 1) / count(*) AS win_rate,
    sum(t.net) AS net_profit,
    coalesce(sum(t.net) FILTER (WHERE t.side = 1), 0) AS gross_profit,
    coalesce(sum(t.net) FILTER (WHERE t.side = -1), 0) AS gross_loss,
    coalesce(sum(t.net) FILTER (WHERE t.side = 1), 0)
    / -sum(t.net) FILTER (WHERE t.side = -1) AS profit_factor,
    avg(t.net) AS average_profit,
    sum(t.commission) AS commission,
    sum(t.swap) AS swap,
    sum(t.volume) AS volume
FROM public.closed_trades AS t
GROUP BY 1, 2, 3;
COMMENT ON VIEW public.monthly_results IS
'Results of closed trades by UTC month of closing, one row a user and currency.';
COMMENT ON COLUMN public.monthly_results.month IS 'First day of the UTC month of closing.';

CREATE OR REPLACE VIEW public.symbol_results
WITH (security_invoker = TRUE) AS
SELECT
    t.user_id,
    t.currency,
    t.symbol,
    count(*) AS trades,
    count(*) FILTER (WHERE t.side = 1) AS winning_trades,
    count(*) FILTER (WHERE t.side = -1) AS losing_trades,
    100.0 * count(*) FILTER (WHERE t.side = 1) / count(*) AS win_rate,
    sum(t.net) AS net_profit,
    coalesce(sum(t.net) FILTER (WHERE t.side = 1), 0) AS gross_profit,
    coalesce(sum(t.net) FILTER (WHERE t.side = -1), 0) AS gross_loss,
    coalesce(sum(t.net) FILTER (WHERE t.side = 1), 0)
    / -sum(t.net) FILTER (WHERE t.side = -1) AS profit_factor,
    avg(t.net) AS average_profit,
    sum(t.commission) AS commission,
    sum(t.swap) AS swap,
    sum(t.volume) AS volume
FROM public.closed_trades AS t
GROUP BY 1, 2, 3;
COMMENT ON VIEW public.symbol_results IS
'Results of closed trades by symbol, one row a user and currency.';
COMMENT ON COLUMN public.symbol_results.symbol IS 'Symbol as the broker spells it.';

CREATE OR REPLACE VIEW public.strategy_results
WITH (security_invoker = TRUE) AS
SELECT
    t.user_id,
    t.currency,
    t.strategy_id,
    count(*) AS trades,
    count(*) FILTER (WHERE t.side = 1) AS winning_trades,
    count(*) FILTER (WHERE t.side = -1) AS losing_trades,
    100.0 * count(*) FILTER (WHERE t.side = 1) / count(*) AS win_rate,
    sum(t.net) AS net_profit,
    coalesce(sum(t.net) FILTER (WHERE t.side = 1), 0) AS gross_profit,
    coalesce(sum(t.net) FILTER (WHERE t.side = -1), 0) AS gross_loss,
    coalesce(sum(t.net) FILTER (WHERE t.side = 1), 0)
    / -sum(t.net) FILTER (WHERE t.side = -1) AS profit_factor,
    avg(t.net) AS average_profit,
    sum(t.commission) AS commission,
    sum(t.swap) AS swap,
    sum(t.volume) AS volume
FROM public.closed_trades AS t
GROUP BY 1, 2, 3;
COMMENT ON VIEW public.strategy_results IS
'Results of closed trades by strategy, one row a user and currency.';
COMMENT ON COLUMN public.strategy_results.strategy_id IS 'Strategy; NULL for trades without one.';

CREATE OR REPLACE VIEW public.session_results
WITH (security_invoker = TRUE) AS
SELECT
    t.user_id,
    t.currency,
    public.name_market_session(t.opened_at) AS session,
    count(*) AS trades,
    count(*) FILTER (WHERE t.side = 1) AS winning_trades,
    count(*) FILTER (WHERE t.side = -1) AS losing_trades,
    100.0 * count(*) FILTER (WHERE t.side = 1) / count(*) AS win_rate,
    sum(t.net) AS net_profit,
    coalesce(sum(t.net) FILTER (WHERE t.side = 1), 0) AS gross_profit,
    coalesce(sum(t.net) FILTER (WHERE t.side = -1), 0) AS gross_loss,
    coalesce(sum(t.net) FILTER (WHERE t.side = 1), 0)
    / -sum(t.net) FILTER (WHERE t.side = -1) AS profit_factor,
    avg(t.net) AS average_profit,
    sum(t.commission) AS commission,
    sum(t.swap) AS swap,
    sum(t.volume) AS volume
FROM public.closed_trades AS t
GROUP BY 1, 2, 3;
COMMENT ON VIEW public.session_results IS
'Results of closed trades by market session of opening, one row a user and currency.';
COMMENT ON COLUMN public.session_results.session IS
'Markets open when the trade was opened: Tokyo 9 to 18, London and New York 8 to 17, local time,
Monday to Friday; several while they overlap, empty when all are closed, as on weekends.';

CREATE OR REPLACE VIEW public.weekday_results
WITH (security_invoker = TRUE) AS
SELECT
    t.user_id,
    t.currency,
    extract(ISODOW FROM t.opened_at AT TIME ZONE 'UTC')::integer AS weekday,
    count(*) AS trades,
    count(*) FILTER (WHERE t.side = 1) AS winning_trades,
    count(*) FILTER (WHERE t.side = -1) AS losing_trades,
    100.0 * count(*) FILTER (WHERE t.side = 1) / count(*) AS win_rate,
    sum(t.net) AS net_profit,
    coalesce(sum(t.net) FILTER (WHERE t.side = 1), 0) AS gross_profit,
    coalesce(sum(t.net) FILTER (WHERE t.side = -1), 0) AS gross_loss,
    coalesce(sum(t.net) FILTER (WHERE t.side = 1), 0)
    / -sum(t.net) FILTER (WHERE t.side = -1) AS profit_factor,
    avg(t.net) AS average_profit,
    sum(t.commission) AS commission,
    sum(t.swap) AS swap,
    sum(t.volume) AS volume
FROM public.closed_trades AS t
GROUP BY 1, 2, 3;
COMMENT ON VIEW public.weekday_results IS
'Results of closed trades by weekday of opening, one row a user and currency.';
COMMENT ON COLUMN public.weekday_results.weekday IS
'Weekday of opening, UTC: 1 Monday to 7 Sunday.';

CREATE OR REPLACE VIEW public.hour_results
WITH (security_invoker = TRUE) AS
SELECT
    t.user_id,
    t.currency,
    extract(HOUR FROM t.opened_at AT TIME ZONE 'UTC')::integer AS hour,
    count(*) AS trades,
    count(*) FILTER (WHERE t.side = 1) AS winning_trades,
    count(*) FILTER (WHERE t.side = -1) AS losing_trades,
    100.0 * count(*) FILTER (WHERE t.side = 1) / count(*) AS win_rate,
    sum(t.net) AS net_profit,
    coalesce(sum(t.net) FILTER (WHERE t.side = 1), 0) AS gross_profit,
    coalesce(sum(t.net) FILTER (WHERE t.side = -1), 0) AS gross_loss,
    coalesce(sum(t.net) FILTER (WHERE t.side = 1), 0)
    / -sum(t.net) FILTER (WHERE t.side = -1) AS profit_factor,
    avg(t.net) AS average_profit,
    sum(t.commission) AS commission,
    sum(t.swap) AS swap,
    sum(t.volume) AS volume
FROM public.closed_trades AS t
GROUP BY 1, 2, 3;
COMMENT ON VIEW public.hour_results IS
'Results of closed trades by hour of opening, one row a user and currency.';
COMMENT ON COLUMN public.hour_results.hour IS 'Hour of opening, UTC, 0 to 23.';

-- columns that these views share
CALL deploy.comment_columns(
    ARRAY[
        'public.daily_results'::regclass,
        'public.monthly_results'::regclass,
        'public.symbol_results'::regclass,
        'public.strategy_results'::regclass,
        'public.session_results'::regclass,
        'public.weekday_results'::regclass,
        'public.hour_results'::regclass
    ],
    '{
        "user_id": "Owner.",
        "currency": "Currency of the money columns; NULL without an account.",
        "trades": "Closed trades.",
        "winning_trades": "Trades with a net result above zero.",
        "losing_trades": "Trades with a net result below zero.",
        "win_rate": "Winning trades in percent of all, 0 to 100.",
        "net_profit": "Sum of net results, account currency.",
        "gross_profit": "Net results of the winning trades, account currency.",
        "gross_loss": "Net results of the losing trades, account currency, negative.",
        "profit_factor": "Gross profit over gross loss, positive; NULL without a loss.",
        "average_profit": "Mean net result of a trade, account currency.",
        "commission": "Sum of commissions, account currency; a charge is negative.",
        "swap": "Sum of swaps, account currency; a charge is negative.",
        "volume": "Volume in lots."
    }'
);
