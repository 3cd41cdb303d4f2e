-- 0402_performance_measures.sql: further figures of performance_metrics.

CALL deploy.become_owner();

ALTER TABLE public.performance_metrics
ADD COLUMN IF NOT EXISTS break_even_trades integer,
ADD COLUMN IF NOT EXISTS gross_profit numeric,
ADD COLUMN IF NOT EXISTS gross_loss numeric,
ADD COLUMN IF NOT EXISTS expectancy numeric,
ADD COLUMN IF NOT EXISTS largest_win numeric,
ADD COLUMN IF NOT EXISTS largest_loss numeric,
ADD COLUMN IF NOT EXISTS average_win numeric,
ADD COLUMN IF NOT EXISTS average_loss numeric,
ADD COLUMN IF NOT EXISTS payoff_ratio numeric,
ADD COLUMN IF NOT EXISTS longest_winning_series integer,
ADD COLUMN IF NOT EXISTS longest_winning_series_profit numeric,
ADD COLUMN IF NOT EXISTS longest_losing_series integer,
ADD COLUMN IF NOT EXISTS longest_losing_series_loss numeric,
ADD COLUMN IF NOT EXISTS average_holding_time interval,
ADD COLUMN IF NOT EXISTS sortino_ratio numeric,
ADD COLUMN IF NOT EXISTS annual_return numeric,
ADD COLUMN IF NOT EXISTS max_drawdown_percent numeric,
ADD COLUMN IF NOT EXISTS calmar_ratio numeric,
ADD COLUMN IF NOT EXISTS recovery_factor numeric,
ADD COLUMN IF NOT EXISTS time_under_water interval,
ADD COLUMN IF NOT EXISTS turnover numeric,
ADD COLUMN IF NOT EXISTS commission numeric,
ADD COLUMN IF NOT EXISTS swap numeric,
ADD COLUMN IF NOT EXISTS fees numeric;

DO $$
BEGIN
    ALTER TABLE public.performance_metrics
    ADD CONSTRAINT performance_metrics_measures_finite_check CHECK (
        NOT ARRAY[
            gross_profit, gross_loss, expectancy, largest_win, largest_loss, average_win,
            average_loss, payoff_ratio, longest_winning_series_profit,
            longest_losing_series_loss, sortino_ratio, annual_return,
            max_drawdown_percent, calmar_ratio, recovery_factor, turnover, commission,
            swap, fees
        ] && ARRAY['NaN', 'Infinity', '-Infinity']::numeric[]
    );
EXCEPTION WHEN duplicate_object THEN
    NULL; -- there since an earlier run
END
$$;

COMMENT ON COLUMN public.performance_metrics.break_even_trades IS
'Those with a net result of exactly zero.';
COMMENT ON COLUMN public.performance_metrics.gross_profit IS
'Sum of the winning trades'' net results, account currency; 0 when none.';
COMMENT ON COLUMN public.performance_metrics.gross_loss IS
'Sum of the losing trades'' net results, account currency, 0 or negative.';
COMMENT ON COLUMN public.performance_metrics.expectancy IS
'Mean net result of a trade, account currency; the same as average_profit.';
COMMENT ON COLUMN public.performance_metrics.largest_win IS
'Largest net result of a winning trade, account currency.';
COMMENT ON COLUMN public.performance_metrics.largest_loss IS
'Worst net result of a losing trade, account currency, negative.';
COMMENT ON COLUMN public.performance_metrics.average_win IS
'Mean net result of the winning trades, account currency.';
COMMENT ON COLUMN public.performance_metrics.average_loss IS
'Mean net result of the losing trades, account currency, negative.';
COMMENT ON COLUMN public.performance_metrics.payoff_ratio IS
'Average win over average loss, positive.';
COMMENT ON COLUMN public.performance_metrics.longest_winning_series IS
'Most winning trades in a row, in the order of closing.';
COMMENT ON COLUMN public.performance_metrics.longest_winning_series_profit IS
'Net result of that series, account currency; of equally long ones the largest.';
COMMENT ON COLUMN public.performance_metrics.longest_losing_series IS
'Most losing trades in a row, in the order of closing.';
COMMENT ON COLUMN public.performance_metrics.longest_losing_series_loss IS
'Net result of that series, account currency, negative; of equally long ones the worst.';
COMMENT ON COLUMN public.performance_metrics.average_holding_time IS
'Mean time from opening to closing.';
COMMENT ON COLUMN public.performance_metrics.sortino_ratio IS
'Annualised Sortino ratio of the daily returns.';
COMMENT ON COLUMN public.performance_metrics.annual_return IS
'Annual growth of the daily returns, compounded (0.1 is ten percent).';
COMMENT ON COLUMN public.performance_metrics.max_drawdown_percent IS
'Deepest fall of the daily closing balance from an earlier high in percent of that high, 0 to 100,
deposits and withdrawals taken out.';
COMMENT ON COLUMN public.performance_metrics.calmar_ratio IS
'Annual growth over max_drawdown_percent as a share.';
COMMENT ON COLUMN public.performance_metrics.recovery_factor IS
'Net result over max_drawdown; negative after a loss.';
COMMENT ON COLUMN public.performance_metrics.time_under_water IS
'Time the balance was below an earlier high: from the trade that fell below it to the one that
regained it, else to the end of the period, or to now while that lasts.';
COMMENT ON COLUMN public.performance_metrics.turnover IS 'Volume of the closed trades in lots.';
COMMENT ON COLUMN public.performance_metrics.commission IS
'Sum of commissions, account currency; a charge is negative.';
COMMENT ON COLUMN public.performance_metrics.swap IS
'Sum of swaps, account currency; a charge is negative.';
COMMENT ON COLUMN public.performance_metrics.fees IS
'Sum of fees kept apart, account currency; NULL while orders carry them in commission.';
