-- 4160_trading_positions.sql: the triggers of positions, in the order in which they fire.

CALL deploy.become_owner();

CREATE OR REPLACE TRIGGER trading_positions_10_account
BEFORE INSERT OR UPDATE OF session_id, account_id ON public.trading_positions
FOR EACH ROW EXECUTE FUNCTION public.set_position_account();

CREATE OR REPLACE TRIGGER trading_positions_90_updated_at
BEFORE UPDATE ON public.trading_positions
FOR EACH ROW EXECUTE FUNCTION public.set_updated_at();

CREATE OR REPLACE TRIGGER trading_positions_80_notify_opened
AFTER INSERT ON public.trading_positions
REFERENCING NEW TABLE AS changed_rows
FOR EACH STATEMENT EXECUTE FUNCTION public.notify_positions('opened');

CREATE OR REPLACE TRIGGER trading_positions_81_notify_closed
AFTER DELETE ON public.trading_positions
REFERENCING OLD TABLE AS changed_rows
FOR EACH STATEMENT EXECUTE FUNCTION public.notify_positions('closed');

CREATE OR REPLACE TRIGGER trading_positions_82_notify_changed
AFTER UPDATE OF volume, sl, tp ON public.trading_positions
FOR EACH ROW
WHEN (
    OLD.volume <> NEW.volume
    OR OLD.sl IS DISTINCT FROM NEW.sl
    OR OLD.tp IS DISTINCT FROM NEW.tp
)
EXECUTE FUNCTION public.notify_position_change();

-- A price update sets none of these columns.
CREATE OR REPLACE TRIGGER trading_positions_70_event
AFTER INSERT OR DELETE OR UPDATE OF
account_id, identifier, ticket, symbol, type, volume, open_price, sl, tp, time_msc, magic, reason,
comment, external_id
ON public.trading_positions
FOR EACH ROW EXECUTE FUNCTION internal.note_position();
