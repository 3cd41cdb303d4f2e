-- 5520_risk_templates.sql: sets of rules as their publishers state them, each with its source.

CALL deploy.become_owner();

-- Publishers change their rules: the source says when it was read. A row that somebody corrected
-- here stays as it is.
INSERT INTO public.risk_templates (
    template, kind, amount, unit, basis, lock_percent, clock, touching_breaks, source
)
VALUES
-- Static floor, day from the balance of midnight in Prague.
(
    'two-step challenge', 'daily_loss', 5, 'percent_of_initial', 'balance', NULL,
    'Europe/Prague', FALSE, 'academy.ftmo.com/lesson/maximum-daily-loss, read 2026-11-28'
),
(
    'two-step challenge', 'maximum_loss', 10, 'percent_of_initial', 'balance', NULL,
    'Europe/Prague', FALSE, 'academy.ftmo.com, Maximum Loss, read 2026-11-28'
),
(
    'two-step challenge', 'profit_target', 10, 'percent_of_initial', 'balance', NULL,
    'Europe/Prague', FALSE, 'ftmo.com/en/trading-objectives, read 2026-11-28'
),
(
    'two-step challenge', 'trading_days', 4, 'days', 'balance', NULL,
    'Europe/Prague', FALSE, 'ftmo.com/en/trading-objectives, read 2026-11-28'
),
(
    'two-step verification', 'daily_loss', 5, 'percent_of_initial', 'balance', NULL,
    'Europe/Prague', FALSE, 'academy.ftmo.com/lesson/maximum-daily-loss, read 2026-11-28'
),
(
    'two-step verification', 'maximum_loss', 10, 'percent_of_initial', 'balance', NULL,
    'Europe/Prague', FALSE, 'academy.ftmo.com, Maximum Loss, read 2026-11-28'
),
(
    'two-step verification', 'profit_target', 5, 'percent_of_initial', 'balance', NULL,
    'Europe/Prague', FALSE, 'ftmo.com/en/trading-objectives, read 2026-11-28'
),
(
    'two-step verification', 'trading_days', 4, 'days', 'balance', NULL,
    'Europe/Prague', FALSE, 'ftmo.com/en/trading-objectives, read 2026-11-28'
),
-- Floor below the highest balance of any midnight.
(
    'one-step challenge', 'daily_loss', 3, 'percent_of_initial', 'balance', NULL,
    'Europe/Prague', FALSE, 'promo.ftmo.oanda.com/new-1-step-challenge, read 2026-11-28'
),
(
    'one-step challenge', 'trailing_day', 10, 'percent_of_initial', 'balance', NULL,
    'Europe/Prague', FALSE, 'ftmo.com, Maximum Loss Limit of the 1-step, read 2026-11-28'
),
(
    'one-step challenge', 'profit_target', 10, 'percent_of_initial', 'balance', NULL,
    'Europe/Prague', FALSE, 'promo.ftmo.oanda.com/new-1-step-challenge, read 2026-11-28'
),
(
    'one-step challenge', 'consistency', 50, 'percent_of_profit', 'balance', NULL,
    'Europe/Prague', FALSE, 'ftmo.com/faq, Best Day Rule, read 2026-11-28'
),
-- Floor below each high of equity, until 100 above a start of 50,000. The day of US futures begins
-- at 18:00 in New York.
(
    'intraday trailing', 'trailing', 5, 'percent_of_initial', 'equity', 100.2,
    'America/New_York+6', TRUE, 'algoproven.com on Apex 50K, verified there 2026-06-16'
),
(
    'intraday trailing', 'profit_target', 6, 'percent_of_initial', 'balance', NULL,
    'America/New_York+6', FALSE, 'algoproven.com on Apex 50K, verified there 2026-06-16'
),
(
    'intraday trailing', 'consistency', 50, 'percent_of_profit', 'balance', NULL,
    'America/New_York+6', FALSE, 'algoproven.com on Apex 50K, verified there 2026-06-16'
)
ON CONFLICT (template, kind) DO NOTHING;
