-- session.sql: settings that a role or a database may have otherwise, and that the files are
-- written for. install.sql, bundles and the runner begin with them. Without standard strings a
-- pattern would lose its backslashes in silence, and CHECKs refuse every password.
SET timezone = 'UTC';
SET statement_timeout = 0;
SET search_path = public;
SET standard_conforming_strings = on;
SET default_transaction_isolation = 'read committed';
SET default_transaction_read_only = off;

-- Names and comments of brokers are of any script. A database that is installed stays as it is.
DO $$
BEGIN
    IF current_setting('server_encoding') <> 'UTF8' AND to_regclass('deploy.history') IS NULL THEN
        RAISE EXCEPTION 'database % is encoded as %, and needs UTF8',
            current_database(), current_setting('server_encoding')
        USING
            ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'Make another one by createdb --encoding=UTF8 --template=template0.';
    END IF;
END
$$;

-- An administrator after a superuser, who made the roles: each statement would say what is missing
-- otherwise. Before PostgreSQL 16 a role that makes roles may grant any.
DO $$
BEGIN
    IF (
        SELECT r.rolcreaterole AND NOT r.rolsuper AND CASE
                WHEN to_regnamespace('deploy') IS NOT NULL
                    THEN NOT has_schema_privilege('deploy', 'USAGE')
                ELSE current_setting('server_version_num')::integer >= 160000
                    AND to_regrole('rubi_owner') IS NOT NULL
                    AND NOT pg_has_role(to_regrole('rubi_owner'), 'USAGE')
                    AND NOT pg_has_role(to_regrole('rubi_owner'), 'USAGE WITH ADMIN OPTION')
            END
        FROM pg_roles AS r
        WHERE r.rolname = current_user
    ) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'insufficient_privilege',
            MESSAGE = format(
                '%s may not deploy to database %s, as no member of the roles that another role made',
                current_user, current_database()
            ),
            HINT = (
                SELECT format(
                    'Have a superuser run: GRANT %s TO %I WITH ADMIN OPTION;',
                    string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname), current_user
                )
                FROM pg_roles AS r
                LEFT JOIN pg_namespace AS n ON r.oid = n.nspowner AND n.nspname = 'deploy'
                WHERE NOT r.rolsuper AND (n.oid IS NOT NULL
                    OR r.rolname ~ '^rubi_(owner|app|tenant|ingest|readonly|monitor|backup)$')
            );
    END IF;
END
$$;
