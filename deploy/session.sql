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
