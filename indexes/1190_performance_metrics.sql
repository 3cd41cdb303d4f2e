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
