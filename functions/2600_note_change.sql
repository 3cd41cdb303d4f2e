-- 2600_note_change.sql: changes of users, strategies, orders and more leave a trace.

CALL deploy.become_owner();

-- Changed columns only. A password hash never leaves its table: the trail notes the change alone.
CREATE OR REPLACE FUNCTION audit.note_change()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- only the owner writes the trail
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_old jsonb;
    v_new jsonb;
    v_changed text[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO audit.changes (app_user_id, table_name, row_id, action)
        VALUES (nullif(current_setting('app.user_id', TRUE), ''), TG_TABLE_NAME, NEW.id, 'INSERT');
        RETURN NULL;
    END IF;

    v_old := to_jsonb(OLD);
    IF TG_OP = 'UPDATE' THEN
        v_new := to_jsonb(NEW);
        -- none where all columns changed, and jsonb less NULL would be NULL
        SELECT coalesce(array_agg(k.key), '{}') INTO v_changed
        FROM jsonb_each(v_new) AS k
        WHERE k.value = v_old -> k.key OR k.key = 'updated_at';
        v_old := v_old - v_changed;
        v_new := v_new - v_changed;
        IF v_new = '{}' THEN
            RETURN NULL; -- an update that changed nothing
        END IF;
    END IF;
    IF v_old ? 'hashed_password' THEN
        v_old := jsonb_set(v_old, '{hashed_password}', '"(not kept)"');
        v_new := jsonb_set(v_new, '{hashed_password}', '"(not kept)"');
    END IF;
    INSERT INTO audit.changes (app_user_id, table_name, row_id, action, old_values, new_values)
    VALUES (
        nullif(current_setting('app.user_id', TRUE), ''), TG_TABLE_NAME, OLD.id, TG_OP,
        v_old, v_new
    );
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION audit.note_change() IS
'Trigger: notes a change in audit.changes, with the values of the changed columns.';
REVOKE ALL ON FUNCTION audit.note_change() FROM public;
