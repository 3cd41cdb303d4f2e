-- 0401_performance_failures.sql: users and strategies whose results could not be measured.

CALL deploy.become_owner();

CREATE TABLE IF NOT EXISTS monitoring.performance_failures (
    user_id bigint NOT NULL,
    strategy_id bigint,
    period_start public.finite_time NOT NULL,
    period_end public.finite_time NOT NULL,
    failed_at public.event_time DEFAULT now() NOT NULL,
    code public.key_text NOT NULL,
    message public.short_text NOT NULL,
    CONSTRAINT performance_failures_group_key
    UNIQUE NULLS NOT DISTINCT (user_id, strategy_id, period_start, period_end)
);
-- strategy_id may be NULL, so that the key can't name a row for replication
ALTER TABLE monitoring.performance_failures REPLICA IDENTITY FULL;
COMMENT ON TABLE monitoring.performance_failures IS
'Groups that the last refresh_performance_metrics() of a period could not measure; all others have
their row in performance_metrics. Empty when all is well.';
COMMENT ON COLUMN monitoring.performance_failures.user_id IS 'User.';
COMMENT ON COLUMN monitoring.performance_failures.strategy_id IS
'Strategy; NULL for all orders of the user.';
COMMENT ON COLUMN monitoring.performance_failures.period_start IS 'First moment, included, UTC.';
COMMENT ON COLUMN monitoring.performance_failures.period_end IS
'First moment after the period, not included, UTC.';
COMMENT ON COLUMN monitoring.performance_failures.failed_at IS 'When, UTC.';
COMMENT ON COLUMN monitoring.performance_failures.code IS 'SQLSTATE.';
COMMENT ON COLUMN monitoring.performance_failures.message IS 'What PostgreSQL said.';
