-- 4040_signal_status.sql: a signal is decided once, and an executed one says when.
-- needs: schema/0140_trading_signals.sql
-- transaction: yes

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION public.set_signal_executed_at()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.executed_at := now();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION public.set_signal_executed_at() IS
'Trigger: an EXECUTED signal without a time of execution gets the transaction''s time.';
REVOKE ALL ON FUNCTION public.set_signal_executed_at() FROM public;

CREATE OR REPLACE TRIGGER trading_signals_20_executed_at
BEFORE INSERT OR UPDATE OF status, executed_at ON public.trading_signals
FOR EACH ROW
WHEN (NEW.status = 'EXECUTED' AND NEW.executed_at IS NULL)
EXECUTE FUNCTION public.set_signal_executed_at();

CREATE OR REPLACE FUNCTION public.refuse_signal_status_change()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'RB010',
        MESSAGE = format('signal %s is %s and stays so', OLD.id, OLD.status),
        HINT = 'Only a PENDING signal can become EXECUTED, REJECTED or EXPIRED.',
        SCHEMA = 'public',
        TABLE = 'trading_signals',
        CONSTRAINT = 'trading_signals_status_from_pending';
END
$$;
COMMENT ON FUNCTION public.refuse_signal_status_change() IS
'Trigger: raises RB010 when a decided signal would change its status.';
REVOKE ALL ON FUNCTION public.refuse_signal_status_change() FROM public;

CREATE OR REPLACE TRIGGER trading_signals_10_status_from_pending
BEFORE UPDATE OF status ON public.trading_signals
FOR EACH ROW
WHEN (OLD.status <> 'PENDING' AND NEW.status <> OLD.status)
EXECUTE FUNCTION public.refuse_signal_status_change();
