-- 0403_performance_drawdowns.sql: the six drawdowns of MT5, in performance_metrics.

CALL deploy.become_owner();

-- Maximal (most money) and relative (most percent) may be different episodes, so each has its own
-- money, percent and times.
ALTER TABLE public.performance_metrics
ADD COLUMN IF NOT EXISTS balance_drawdown_absolute numeric,
ADD COLUMN IF NOT EXISTS balance_drawdown_absolute_percent numeric,
ADD COLUMN IF NOT EXISTS balance_drawdown_absolute_started_at public.finite_time,
ADD COLUMN IF NOT EXISTS balance_drawdown_absolute_trough_at public.finite_time,
ADD COLUMN IF NOT EXISTS balance_drawdown_absolute_recovered_at public.finite_time,
ADD COLUMN IF NOT EXISTS balance_drawdown_maximal numeric,
ADD COLUMN IF NOT EXISTS balance_drawdown_maximal_percent numeric,
ADD COLUMN IF NOT EXISTS balance_drawdown_maximal_started_at public.finite_time,
ADD COLUMN IF NOT EXISTS balance_drawdown_maximal_trough_at public.finite_time,
ADD COLUMN IF NOT EXISTS balance_drawdown_maximal_recovered_at public.finite_time,
ADD COLUMN IF NOT EXISTS balance_drawdown_relative numeric,
ADD COLUMN IF NOT EXISTS balance_drawdown_relative_percent numeric,
ADD COLUMN IF NOT EXISTS balance_drawdown_relative_started_at public.finite_time,
ADD COLUMN IF NOT EXISTS balance_drawdown_relative_trough_at public.finite_time,
ADD COLUMN IF NOT EXISTS balance_drawdown_relative_recovered_at public.finite_time,
ADD COLUMN IF NOT EXISTS equity_drawdown_absolute numeric,
ADD COLUMN IF NOT EXISTS equity_drawdown_absolute_percent numeric,
ADD COLUMN IF NOT EXISTS equity_drawdown_absolute_started_at public.finite_time,
ADD COLUMN IF NOT EXISTS equity_drawdown_absolute_trough_at public.finite_time,
ADD COLUMN IF NOT EXISTS equity_drawdown_absolute_recovered_at public.finite_time,
ADD COLUMN IF NOT EXISTS equity_drawdown_maximal numeric,
ADD COLUMN IF NOT EXISTS equity_drawdown_maximal_percent numeric,
ADD COLUMN IF NOT EXISTS equity_drawdown_maximal_started_at public.finite_time,
ADD COLUMN IF NOT EXISTS equity_drawdown_maximal_trough_at public.finite_time,
ADD COLUMN IF NOT EXISTS equity_drawdown_maximal_recovered_at public.finite_time,
ADD COLUMN IF NOT EXISTS equity_drawdown_relative numeric,
ADD COLUMN IF NOT EXISTS equity_drawdown_relative_percent numeric,
ADD COLUMN IF NOT EXISTS equity_drawdown_relative_started_at public.finite_time,
ADD COLUMN IF NOT EXISTS equity_drawdown_relative_trough_at public.finite_time,
ADD COLUMN IF NOT EXISTS equity_drawdown_relative_recovered_at public.finite_time;

DO $$
BEGIN
    ALTER TABLE public.performance_metrics
    ADD CONSTRAINT performance_metrics_drawdowns_not_negative_check CHECK (
        0 <= ALL (array_remove(ARRAY[
            balance_drawdown_absolute, balance_drawdown_absolute_percent,
            balance_drawdown_maximal, balance_drawdown_maximal_percent,
            balance_drawdown_relative, balance_drawdown_relative_percent,
            equity_drawdown_absolute, equity_drawdown_absolute_percent,
            equity_drawdown_maximal, equity_drawdown_maximal_percent,
            equity_drawdown_relative, equity_drawdown_relative_percent
        ], NULL))
    );
EXCEPTION WHEN duplicate_object THEN
    NULL; -- there since an earlier run
END
$$;

COMMENT ON COLUMN public.performance_metrics.balance_drawdown_absolute IS
'MT5 absolute drawdown of the balance, from the opening balance to the lowest; account currency,
positive.';
COMMENT ON COLUMN public.performance_metrics.balance_drawdown_absolute_percent IS
'The same drawdown in percent of the opening balance.';
COMMENT ON COLUMN public.performance_metrics.balance_drawdown_absolute_started_at IS
'Start of the period, UTC.';
COMMENT ON COLUMN public.performance_metrics.balance_drawdown_absolute_trough_at IS
'When the balance was lowest, UTC.';
COMMENT ON COLUMN public.performance_metrics.balance_drawdown_absolute_recovered_at IS
'When the balance was back at the opening balance, UTC; NULL when not within the period.';
COMMENT ON COLUMN public.performance_metrics.balance_drawdown_maximal IS
'MT5 maximal drawdown of the balance, the deepest in money; account currency, positive.';
COMMENT ON COLUMN public.performance_metrics.balance_drawdown_maximal_percent IS
'The same drawdown in percent of the high it fell from.';
COMMENT ON COLUMN public.performance_metrics.balance_drawdown_maximal_started_at IS
'When the balance was last at the high it fell from before, UTC.';
COMMENT ON COLUMN public.performance_metrics.balance_drawdown_maximal_trough_at IS
'When the balance was lowest, UTC.';
COMMENT ON COLUMN public.performance_metrics.balance_drawdown_maximal_recovered_at IS
'When the balance was back at the high it fell from, UTC; NULL when not within the period.';
COMMENT ON COLUMN public.performance_metrics.balance_drawdown_relative IS
'MT5 relative drawdown of the balance, the deepest in percent; account currency, positive.';
COMMENT ON COLUMN public.performance_metrics.balance_drawdown_relative_percent IS
'The same drawdown in percent of the high it fell from.';
COMMENT ON COLUMN public.performance_metrics.balance_drawdown_relative_started_at IS
'When the balance was last at the high it fell from before, UTC.';
COMMENT ON COLUMN public.performance_metrics.balance_drawdown_relative_trough_at IS
'When the balance was lowest, UTC.';
COMMENT ON COLUMN public.performance_metrics.balance_drawdown_relative_recovered_at IS
'When the balance was back at the high it fell from, UTC; NULL when not within the period.';
COMMENT ON COLUMN public.performance_metrics.equity_drawdown_absolute IS
'MT5 absolute drawdown of the equity, from the opening equity to the lowest; account currency,
positive.';
COMMENT ON COLUMN public.performance_metrics.equity_drawdown_absolute_percent IS
'The same drawdown in percent of the opening equity.';
COMMENT ON COLUMN public.performance_metrics.equity_drawdown_absolute_started_at IS
'Start of the period, UTC.';
COMMENT ON COLUMN public.performance_metrics.equity_drawdown_absolute_trough_at IS
'When the equity was lowest, UTC.';
COMMENT ON COLUMN public.performance_metrics.equity_drawdown_absolute_recovered_at IS
'When the equity was back at the opening equity, UTC; NULL when not within the period.';
COMMENT ON COLUMN public.performance_metrics.equity_drawdown_maximal IS
'MT5 maximal drawdown of the equity, the deepest in money; account currency, positive.';
COMMENT ON COLUMN public.performance_metrics.equity_drawdown_maximal_percent IS
'The same drawdown in percent of the high it fell from.';
COMMENT ON COLUMN public.performance_metrics.equity_drawdown_maximal_started_at IS
'When the equity was last at the high it fell from before, UTC.';
COMMENT ON COLUMN public.performance_metrics.equity_drawdown_maximal_trough_at IS
'When the equity was lowest, UTC.';
COMMENT ON COLUMN public.performance_metrics.equity_drawdown_maximal_recovered_at IS
'When the equity was back at the high it fell from, UTC; NULL when not within the period.';
COMMENT ON COLUMN public.performance_metrics.equity_drawdown_relative IS
'MT5 relative drawdown of the equity, the deepest in percent; account currency, positive.';
COMMENT ON COLUMN public.performance_metrics.equity_drawdown_relative_percent IS
'The same drawdown in percent of the high it fell from.';
COMMENT ON COLUMN public.performance_metrics.equity_drawdown_relative_started_at IS
'When the equity was last at the high it fell from before, UTC.';
COMMENT ON COLUMN public.performance_metrics.equity_drawdown_relative_trough_at IS
'When the equity was lowest, UTC.';
COMMENT ON COLUMN public.performance_metrics.equity_drawdown_relative_recovered_at IS
'When the equity was back at the high it fell from, UTC; NULL when not within the period.';
