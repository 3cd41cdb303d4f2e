-- 3490_converted_results.sql: trades and balances in the currency that their user reports in.

CALL deploy.become_owner();

-- Money of two currencies has no sum: each row is converted by the rate of its own moment, and what
-- has no rate is counted and left out of the sum, never taken at another day's rate.
CREATE OR REPLACE VIEW public.converted_trades
WITH (security_invoker = TRUE) AS
SELECT
    t.order_id,
    t.user_id,
    t.account_id,
    t.strategy_id,
    t.symbol,
    t.closed_at,
    t.closed_on,
    t.currency,
    t.net,
    u.reporting_currency,
    r.rate,
    round(t.net * r.rate, 8) AS converted_net,
    r.source AS rate_source,
    r.age AS rate_age,
    CASE WHEN u.reporting_currency IS NULL THEN 'no_reporting_currency' ELSE r.reason END AS reason
FROM public.closed_trades AS t
INNER JOIN public.users AS u ON t.user_id = u.id
CROSS JOIN LATERAL public.find_exchange_rate(
    t.currency, u.reporting_currency, t.closed_at
) AS r;
COMMENT ON VIEW public.converted_trades IS
'Closed trades with their net result in the reporting currency of their user, at the rate of the
moment of closing, and where that rate is from.';
COMMENT ON COLUMN public.converted_trades.order_id IS 'Order.';
COMMENT ON COLUMN public.converted_trades.user_id IS 'Owner.';
COMMENT ON COLUMN public.converted_trades.account_id IS 'Trading account; NULL while unknown.';
COMMENT ON COLUMN public.converted_trades.strategy_id IS 'Strategy; NULL for none.';
COMMENT ON COLUMN public.converted_trades.symbol IS 'Symbol as the broker spells it.';
COMMENT ON COLUMN public.converted_trades.closed_at IS 'Time of closing, UTC.';
COMMENT ON COLUMN public.converted_trades.closed_on IS
'UTC day of closing, which its result counts for.';
COMMENT ON COLUMN public.converted_trades.currency IS
'Account currency; NULL without an account.';
COMMENT ON COLUMN public.converted_trades.net IS
'Net result: profit, commission and swap, account currency.';
COMMENT ON COLUMN public.converted_trades.reporting_currency IS
'Currency that its user reports in; NULL where none was chosen.';
COMMENT ON COLUMN public.converted_trades.rate IS
'Worth of one unit of the account currency in the reporting currency at closing; NULL: reason.';
COMMENT ON COLUMN public.converted_trades.converted_net IS
'Net result in the reporting currency; NULL without a rate.';
COMMENT ON COLUMN public.converted_trades.rate_source IS
'Series of bars that the rate is from: EURUSD H1, 1/USDJPY M1, or two of them.';
COMMENT ON COLUMN public.converted_trades.rate_age IS
'Age of the price at closing; the elder of two.';
COMMENT ON COLUMN public.converted_trades.reason IS
'Why there is no rate: no_reporting_currency, no_currency (of the account), no_rate; else NULL.';

CREATE OR REPLACE VIEW public.converted_results
WITH (security_invoker = TRUE) AS
SELECT
    t.user_id,
    t.reporting_currency,
    date_trunc('month', t.closed_on::timestamp)::date AS month,
    count(*) AS trades,
    count(t.rate) AS converted_trades,
    count(*) - count(t.rate) AS left_out_trades,
    sum(t.converted_net) AS net_profit,
    array_agg(DISTINCT t.currency::text) FILTER (WHERE t.rate IS NOT NULL) AS converted_currencies,
    array_agg(DISTINCT t.currency::text) FILTER (WHERE t.rate IS NULL) AS left_out_currencies,
    max(t.rate_age) AS oldest_rate
FROM public.converted_trades AS t
GROUP BY t.user_id, t.reporting_currency, date_trunc('month', t.closed_on::timestamp);
COMMENT ON VIEW public.converted_results IS
'Results over all accounts of a user by UTC month of closing, in the reporting currency; trades
without a rate are counted and left out of the sum.';
COMMENT ON COLUMN public.converted_results.user_id IS 'Owner.';
COMMENT ON COLUMN public.converted_results.reporting_currency IS
'Currency of the sum; NULL where the user chose none.';
COMMENT ON COLUMN public.converted_results.month IS 'First day of the UTC month of closing.';
COMMENT ON COLUMN public.converted_results.trades IS 'Closed trades.';
COMMENT ON COLUMN public.converted_results.converted_trades IS 'Trades in the sum.';
COMMENT ON COLUMN public.converted_results.left_out_trades IS
'Trades without a rate, which the sum leaves out.';
COMMENT ON COLUMN public.converted_results.net_profit IS
'Sum of the converted net results, reporting currency; NULL when no trade has a rate.';
COMMENT ON COLUMN public.converted_results.converted_currencies IS
'Account currencies of the trades in the sum.';
COMMENT ON COLUMN public.converted_results.left_out_currencies IS
'Account currencies of the trades left out; NULL within it: accounts unknown.';
COMMENT ON COLUMN public.converted_results.oldest_rate IS 'Age of the oldest price used.';

CREATE OR REPLACE VIEW public.converted_balances
WITH (security_invoker = TRUE) AS
SELECT
    a.user_id,
    a.id AS account_id,
    a.account_number,
    a.broker,
    a.currency,
    l.last_ping AS as_of,
    l.balance,
    l.equity,
    u.reporting_currency,
    r.rate,
    round(l.balance * r.rate, 8) AS converted_balance,
    round(l.equity * r.rate, 8) AS converted_equity,
    r.source AS rate_source,
    r.age AS rate_age,
    CASE WHEN u.reporting_currency IS NULL THEN 'no_reporting_currency' ELSE r.reason END AS reason
FROM public.mt5_accounts AS a
INNER JOIN public.users AS u ON a.user_id = u.id
CROSS JOIN
    LATERAL (
        SELECT
            s.last_ping,
            s.balance,
            s.equity
        FROM public.mt5_sessions AS s
        WHERE s.account_id = a.id
        ORDER BY s.last_ping DESC, s.id DESC
        LIMIT 1
    ) AS l
CROSS JOIN LATERAL public.find_exchange_rate(
    a.currency, u.reporting_currency, l.last_ping
) AS r;
COMMENT ON VIEW public.converted_balances IS
'Balance and equity of each account by its latest heartbeat, in the reporting currency of its user.
Their sum over accounts is the user''s worth where no reason is given.';
COMMENT ON COLUMN public.converted_balances.user_id IS 'Owner.';
COMMENT ON COLUMN public.converted_balances.account_id IS 'Trading account.';
COMMENT ON COLUMN public.converted_balances.account_number IS 'Login at the broker''s server.';
COMMENT ON COLUMN public.converted_balances.broker IS 'Name of the broker.';
COMMENT ON COLUMN public.converted_balances.currency IS 'Account currency.';
COMMENT ON COLUMN public.converted_balances.as_of IS 'Latest heartbeat, moment of the rate, UTC.';
COMMENT ON COLUMN public.converted_balances.balance IS 'Balance, account currency.';
COMMENT ON COLUMN public.converted_balances.equity IS
'Balance plus floating result, account currency.';
COMMENT ON COLUMN public.converted_balances.reporting_currency IS
'Currency that the user reports in; NULL where none was chosen.';
COMMENT ON COLUMN public.converted_balances.rate IS
'Worth of one unit of the account currency in the reporting currency; NULL: reason.';
COMMENT ON COLUMN public.converted_balances.converted_balance IS
'Balance in the reporting currency; NULL without a rate.';
COMMENT ON COLUMN public.converted_balances.converted_equity IS
'Equity in the reporting currency; NULL without a rate.';
COMMENT ON COLUMN public.converted_balances.rate_source IS
'Series of bars that the rate is from.';
COMMENT ON COLUMN public.converted_balances.rate_age IS 'Age of the price.';
COMMENT ON COLUMN public.converted_balances.reason IS
'Why there is no rate: no_reporting_currency or no_rate; else NULL.';
