-- 6030_schemas.sql: rights to connect and to look into a schema, and rights on later objects.

RESET ROLE;

-- Connecting is granted by the database's owner, on a managed service through its API.
DO $$
DECLARE
    v_role text;
BEGIN
    IF has_database_privilege(current_database(), 'CONNECT WITH GRANT OPTION') THEN
        FOREACH v_role IN ARRAY ARRAY[
            'rubi_app', 'rubi_ingest', 'rubi_readonly', 'rubi_monitor', 'rubi_backup'
        ] LOOP
            EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), v_role);
        END LOOP;
    END IF;
    -- load_bars.py stages a file in a temporary table; a managed service gives every role the right
    IF has_database_privilege(current_database(), 'TEMPORARY WITH GRANT OPTION') THEN
        EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM public', current_database());
        EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO rubi_app', current_database());
    END IF;
    IF has_schema_privilege('public', 'USAGE WITH GRANT OPTION') THEN
        FOREACH v_role IN ARRAY ARRAY[
            'rubi_app', 'rubi_tenant', 'rubi_ingest', 'rubi_readonly', 'rubi_monitor', 'rubi_backup'
        ] LOOP
            EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', v_role);
        END LOOP;
        REVOKE USAGE ON SCHEMA public FROM public;
    END IF;
END
$$;

CALL deploy.become_owner();

GRANT USAGE ON SCHEMA audit TO rubi_app, rubi_monitor, rubi_backup;
GRANT USAGE ON SCHEMA deploy TO rubi_monitor, rubi_backup;
GRANT USAGE ON SCHEMA internal TO rubi_app, rubi_backup;
GRANT USAGE ON SCHEMA migration TO rubi_monitor, rubi_backup;
GRANT USAGE ON SCHEMA monitoring TO rubi_app, rubi_readonly, rubi_monitor, rubi_backup;

-- The API was promised rights on later tables. So each table and view that the API must not write
-- takes these rights back in the file of its rights, also where no right was given yet.
ALTER DEFAULT PRIVILEGES IN SCHEMA public
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO rubi_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO rubi_app;

-- No role may call a function until granted. Without IN SCHEMA, with which the statement has no
-- effect.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM public;
