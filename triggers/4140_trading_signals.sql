-- 4140_trading_signals.sql: the triggers of signals, in the order in which they fire.

CALL deploy.become_owner();

CREATE OR REPLACE TRIGGER trading_signals_02_user_is_open
BEFORE INSERT OR UPDATE ON public.trading_signals
FOR EACH ROW EXECUTE FUNCTION internal.refuse_closed_user();

CREATE OR REPLACE TRIGGER trading_signals_20_rules
BEFORE INSERT OR UPDATE OF
signal_type, status, entry_price, stop_loss, take_profit, executed_at ON public.trading_signals
FOR EACH ROW EXECUTE FUNCTION public.check_signal();

CREATE OR REPLACE TRIGGER trading_signals_70_queue
AFTER INSERT ON public.trading_signals
FOR EACH ROW EXECUTE FUNCTION internal.queue_signal();

CREATE OR REPLACE TRIGGER trading_signals_71_queue_again
AFTER UPDATE OF valid_until ON public.trading_signals
FOR EACH ROW
WHEN (NEW.status = 'PENDING' AND (NEW.valid_until IS NULL OR NEW.valid_until > OLD.valid_until))
EXECUTE FUNCTION internal.queue_signal_again();

CREATE OR REPLACE TRIGGER trading_signals_80_notify
AFTER INSERT ON public.trading_signals
REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION public.notify_signals();
