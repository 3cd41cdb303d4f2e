-- 6000_roles.sql: the roles of the system and their default settings.

-- Roles belong to the cluster and are made by the deploying role.
RESET ROLE;

-- No role gets a password here, so no login succeeds until a password is set. The deployer
-- becomes a member of each, which PostgreSQL 16 and later do not do by themselves.
DO $$
DECLARE
    v_role record;
BEGIN
    FOR v_role IN
        SELECT r.name, r.login
        FROM (
            VALUES
            ('rubi_app', TRUE),
            ('rubi_tenant', FALSE),
            ('rubi_ingest', TRUE),
            ('rubi_readonly', TRUE),
            ('rubi_monitor', TRUE),
            ('rubi_backup', TRUE)
        ) AS r (name, login)
        ORDER BY r.name
    LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = v_role.name) THEN
                EXECUTE format(
                    'CREATE ROLE %I %s', v_role.name,
                    CASE WHEN v_role.login THEN 'LOGIN' ELSE 'NOLOGIN' END
                );
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- a deploy into another database of this cluster was quicker
        END;
        BEGIN
            IF NOT pg_has_role(current_user, v_role.name, 'USAGE') THEN
                EXECUTE format('GRANT %I TO %I', v_role.name, current_user);
            END IF;
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE NOTICE 'role % was made by somebody else and is left as it is', v_role.name;
        END;
    END LOOP;
END
$$;

-- Rights that a role needs beyond this database.
DO $$
BEGIN
    IF NOT pg_has_role('rubi_app', 'rubi_tenant', 'MEMBER') THEN
        GRANT rubi_tenant TO rubi_app;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'rubi_app could not be made a member of rubi_tenant: %', SQLERRM;
END
$$;
DO $$
BEGIN
    IF NOT pg_has_role('rubi_monitor', 'pg_monitor', 'MEMBER') THEN
        GRANT pg_monitor TO rubi_monitor;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'rubi_monitor sees its own statements only: %', SQLERRM;
END
$$;

-- Defaults of each role, set only where they differ: a role is shared by all databases of a
-- cluster, and two deploys that write one row at the same time fail. Statements over many chunks
-- cost enough for jit, which a managed server has on: compiling takes longer than it saves.
DO $$
DECLARE
    v_setting record;
BEGIN
    FOR v_setting IN
        SELECT s.role, s.name, s.value
        FROM (
            VALUES
            ('rubi_app', 'timezone', 'UTC'),
            ('rubi_app', 'jit', 'off'),
            ('rubi_app', 'statement_timeout', '60s'),
            ('rubi_app', 'lock_timeout', '10s'),
            ('rubi_app', 'idle_in_transaction_session_timeout', '60s'),
            ('rubi_ingest', 'timezone', 'UTC'),
            ('rubi_ingest', 'jit', 'off'),
            ('rubi_ingest', 'statement_timeout', '5min'),
            ('rubi_ingest', 'lock_timeout', '30s'),
            ('rubi_ingest', 'idle_in_transaction_session_timeout', '60s'),
            ('rubi_readonly', 'timezone', 'UTC'),
            ('rubi_readonly', 'jit', 'off'),
            ('rubi_readonly', 'default_transaction_read_only', 'on'),
            ('rubi_readonly', 'statement_timeout', '5min'),
            ('rubi_readonly', 'lock_timeout', '5s'),
            ('rubi_readonly', 'idle_in_transaction_session_timeout', '5min'),
            ('rubi_monitor', 'timezone', 'UTC'),
            ('rubi_monitor', 'jit', 'off'),
            ('rubi_monitor', 'default_transaction_read_only', 'on'),
            ('rubi_monitor', 'statement_timeout', '30s'),
            ('rubi_monitor', 'lock_timeout', '5s'),
            ('rubi_monitor', 'idle_in_transaction_session_timeout', '60s'),
            ('rubi_backup', 'timezone', 'UTC'),
            ('rubi_backup', 'default_transaction_read_only', 'on'),
            ('rubi_backup', 'lock_timeout', '60s')
        ) AS s (role, name, value)
        INNER JOIN pg_roles AS r ON s.role = r.rolname
        WHERE NOT coalesce(format('%s=%s', s.name, s.value) = ANY (r.rolconfig), FALSE)
        ORDER BY s.role, s.name
    LOOP
        BEGIN
            EXECUTE format(
                'ALTER ROLE %I SET %I = %L', v_setting.role, v_setting.name, v_setting.value
            );
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE NOTICE 'setting % of role % is left as it is: %',
                v_setting.name, v_setting.role, SQLERRM;
        END;
    END LOOP;
END
$$;
