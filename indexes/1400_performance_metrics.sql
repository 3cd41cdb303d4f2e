-- 1400_performance_metrics.sql: indexes of performance_metrics.

CALL deploy.become_owner();

CREATE INDEX IF NOT EXISTS idx_metrics_user ON public.performance_metrics (user_id);
COMMENT ON INDEX public.idx_metrics_user IS 'Metrics of a user; the foreign key.';
CREATE INDEX IF NOT EXISTS idx_metrics_strategy ON public.performance_metrics (strategy_id);
COMMENT ON INDEX public.idx_metrics_strategy IS 'Metrics of a strategy; the foreign key.';
CREATE INDEX IF NOT EXISTS idx_metrics_account ON public.performance_metrics (account_id)
WHERE account_id IS NOT NULL;
COMMENT ON INDEX public.idx_metrics_account IS
'Metrics of a single account, which are few; the foreign key.';
CREATE INDEX IF NOT EXISTS idx_metrics_period_start
ON public.performance_metrics (period_start);
COMMENT ON INDEX public.idx_metrics_period_start IS 'Latest periods over all users.';
CREATE UNIQUE INDEX IF NOT EXISTS performance_metrics_group_period_key
ON public.performance_metrics (
    user_id, strategy_id, account_id, all_accounts, period_start, period_end
) NULLS NOT DISTINCT
WHERE method_version IS NOT NULL;
COMMENT ON INDEX public.performance_metrics_group_period_key IS
'One calculated row for each group and period; rows that a client wrote are free.';
