-- 4040_signal_rules.sql: stops on their side, a time for the executed, a decision made once.
-- needs: schema/0140_trading_signals.sql
-- transaction: yes

CALL deploy.become_owner();

-- As CHECKs and a trigger with WHEN these rules took 40 microseconds of each insert, because
-- PostgreSQL reads their text anew for each statement; as one function 8 (benchmarks/rules.py).
-- Without a search_path of its own; nothing is called but now(), which is named with its schema.
CREATE OR REPLACE FUNCTION public.check_signal()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
AS $$
DECLARE
    v_broken text;
BEGIN
    -- Only a signal to open has a side; stops of open positions trail into profit and are free.
    IF NEW.signal_type = 'BUY' THEN
        IF NEW.stop_loss >= NEW.entry_price THEN
            v_broken := 'trading_signals_stop_loss_side_check';
        ELSIF NEW.take_profit <= NEW.entry_price THEN
            v_broken := 'trading_signals_take_profit_side_check';
        END IF;
    ELSIF NEW.signal_type = 'SELL' THEN
        IF NEW.stop_loss <= NEW.entry_price THEN
            v_broken := 'trading_signals_stop_loss_side_check';
        ELSIF NEW.take_profit >= NEW.entry_price THEN
            v_broken := 'trading_signals_take_profit_side_check';
        END IF;
    END IF;
    IF NEW.status = 'EXECUTED' THEN
        IF NEW.executed_at IS NULL THEN
            NEW.executed_at := pg_catalog.now();
        END IF;
    ELSIF NEW.executed_at IS NOT NULL THEN
        v_broken := 'trading_signals_executed_at_with_executed_check';
    END IF;
    IF v_broken IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'check_violation',
            MESSAGE = pg_catalog.format(
                'new row for relation "trading_signals" violates check constraint "%s"', v_broken
            ),
            SCHEMA = 'public',
            TABLE = 'trading_signals',
            CONSTRAINT = v_broken;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION public.check_signal() IS
'Trigger: stop loss and take profit of BUY and SELL stand on their sides of the entry price, and
executed_at is there exactly with EXECUTED, the transaction''s time when not given. Raises
check_violation (23514) with the name of the rule.';
REVOKE ALL ON FUNCTION public.check_signal() FROM public;

CREATE OR REPLACE TRIGGER trading_signals_20_rules
BEFORE INSERT OR UPDATE OF
signal_type, status, entry_price, stop_loss, take_profit, executed_at ON public.trading_signals
FOR EACH ROW EXECUTE FUNCTION public.check_signal();

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
