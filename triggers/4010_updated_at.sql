-- 4010_updated_at.sql: updated_at follows every update.
-- needs: schema/0160_trading_positions.sql
-- transaction: yes

CALL deploy.become_owner();

-- Runs on every tick: without a search_path of its own, which would take half of its time; the one
-- function that it calls is named with its schema.
CREATE OR REPLACE FUNCTION public.set_updated_at()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
AS $$
BEGIN
    NEW.updated_at := pg_catalog.now();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION public.set_updated_at() IS
'Trigger: sets updated_at to the transaction''s time.';
REVOKE ALL ON FUNCTION public.set_updated_at() FROM public;

CREATE OR REPLACE TRIGGER users_90_updated_at
BEFORE UPDATE ON public.users
FOR EACH ROW EXECUTE FUNCTION public.set_updated_at();

CREATE OR REPLACE TRIGGER trading_strategies_90_updated_at
BEFORE UPDATE ON public.trading_strategies
FOR EACH ROW EXECUTE FUNCTION public.set_updated_at();

CREATE OR REPLACE TRIGGER mt5_sessions_90_updated_at
BEFORE UPDATE ON public.mt5_sessions
FOR EACH ROW EXECUTE FUNCTION public.set_updated_at();

CREATE OR REPLACE TRIGGER trading_positions_90_updated_at
BEFORE UPDATE ON public.trading_positions
FOR EACH ROW EXECUTE FUNCTION public.set_updated_at();
