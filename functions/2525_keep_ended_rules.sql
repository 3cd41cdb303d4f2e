-- 2525_keep_ended_rules.sql: a rule that has ended stays ended.

CALL deploy.become_owner();

-- The heartbeats after its end were not measured: a rule that came back would have a gap that its
-- state does not show. A new rule with the old beginning measures all of them.
CREATE OR REPLACE FUNCTION internal.keep_ended_rules()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'RB073',
        MESSAGE = format('risk rule %s ended at %s and stays ended', OLD.id, OLD.valid_to),
        HINT = 'Make a new rule; with the valid_from of the old one all snapshots are measured.';
END
$$;
COMMENT ON FUNCTION internal.keep_ended_rules() IS
'Trigger: raises RB073, a rule that has ended is not taken up again.';
REVOKE ALL ON FUNCTION internal.keep_ended_rules() FROM public;
