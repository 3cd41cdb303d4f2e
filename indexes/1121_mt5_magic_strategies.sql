-- 1121_mt5_magic_strategies.sql: index of mt5_magic_strategies.

CALL deploy.become_owner();

CREATE INDEX IF NOT EXISTS idx_mt5_magic_strategies_strategy
ON public.mt5_magic_strategies (strategy_id);
COMMENT ON INDEX public.idx_mt5_magic_strategies_strategy IS
'The foreign key, when a strategy is deleted.';
