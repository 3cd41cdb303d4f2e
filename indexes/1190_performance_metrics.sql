-- 1190_performance_metrics.sql: indexes of performance_metrics.
-- needs: schema/0190_performance_metrics.sql
-- transaction: yes

CALL deploy.become_owner();

-- metrics of a user
CREATE INDEX IF NOT EXISTS idx_metrics_user ON public.performance_metrics (user_id);
-- metrics of a strategy
CREATE INDEX IF NOT EXISTS idx_metrics_strategy ON public.performance_metrics (strategy_id);
-- latest periods over all users
CREATE INDEX IF NOT EXISTS idx_metrics_period_start
ON public.performance_metrics (period_start DESC);
-- one calculated row for each group and period; rows that a client wrote are free
CREATE UNIQUE INDEX IF NOT EXISTS performance_metrics_group_period_key
ON public.performance_metrics (
    user_id, strategy_id, account_id, all_accounts, period_start, period_end
) NULLS NOT DISTINCT
WHERE method_version IS NOT NULL;
