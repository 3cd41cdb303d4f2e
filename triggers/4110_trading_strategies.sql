-- 4110_trading_strategies.sql: the triggers of strategies, in the order in which they fire.

CALL deploy.become_owner();

-- Counters, which the database writes with every closed order, are left out.
CREATE OR REPLACE TRIGGER trading_strategies_02_user_is_open
BEFORE INSERT OR UPDATE OF
id, user_id, name, description, symbols, timeframes, max_positions, risk_per_trade, is_active,
created_at
ON public.trading_strategies
FOR EACH ROW EXECUTE FUNCTION internal.refuse_closed_user();

CREATE OR REPLACE TRIGGER trading_strategies_05_counters_insert
BEFORE INSERT ON public.trading_strategies
FOR EACH ROW EXECUTE FUNCTION internal.refuse_change_of_counters();

CREATE OR REPLACE TRIGGER trading_strategies_05_counters_update
BEFORE UPDATE OF total_trades, winning_trades, total_profit ON public.trading_strategies
FOR EACH ROW EXECUTE FUNCTION internal.refuse_change_of_counters();

CREATE OR REPLACE TRIGGER trading_strategies_10_trips
BEFORE DELETE ON public.trading_strategies
FOR EACH ROW EXECUTE FUNCTION internal.forget_strategy_of_trips();

CREATE OR REPLACE TRIGGER trading_strategies_90_updated_at
BEFORE UPDATE ON public.trading_strategies
FOR EACH ROW EXECUTE FUNCTION public.set_updated_at();

CREATE OR REPLACE TRIGGER trading_strategies_60_counters
AFTER DELETE ON public.trading_strategies
FOR EACH STATEMENT EXECUTE FUNCTION internal.expect_counter_changes('again');

-- Counters change with every closed order and are no news: the list of columns leaves them out.
CREATE OR REPLACE TRIGGER trading_strategies_70_audit
AFTER INSERT OR DELETE OR UPDATE OF
id, user_id, name, description, symbols, timeframes, max_positions, risk_per_trade, is_active,
created_at
ON public.trading_strategies
FOR EACH ROW EXECUTE FUNCTION audit.note_change();

-- CREATE OR REPLACE does not exist for constraint triggers.
DROP TRIGGER IF EXISTS strategy_counter_deltas_10_apply ON internal.strategy_counter_deltas;
CREATE CONSTRAINT TRIGGER strategy_counter_deltas_10_apply
AFTER INSERT ON internal.strategy_counter_deltas
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION internal.apply_counter_changes();
