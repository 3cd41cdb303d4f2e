-- 2060_set_updated_at.sql: updated_at follows every update.

CALL deploy.become_owner();

-- Runs on every tick: without a search_path of its own, which would take half of its time; the only
-- function called is named with its schema.
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
