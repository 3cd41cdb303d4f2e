-- 0020_extensions.sql: extensions the schema needs, and two that are welcome.
-- Needs schema/0010_deploy.sql; on a server where only its administrator may create extensions,
--        timescaledb and pg_stat_statements created before

-- Extensions belong to the deploying role: rubi_owner has no right to create them.
RESET ROLE;

CREATE EXTENSION IF NOT EXISTS timescaledb;
CREATE EXTENSION IF NOT EXISTS "uuid-ossp";
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;

-- Optional ones: no object of the schema depends on them.
DO $$
DECLARE
    v_extension text;
BEGIN
    FOREACH v_extension IN ARRAY ARRAY['pg_trgm', 'pgcrypto'] LOOP
        BEGIN
            EXECUTE format('CREATE EXTENSION IF NOT EXISTS %I', v_extension);
        EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
            RAISE NOTICE 'optional extension % left out: %', v_extension, SQLERRM;
        END;
    END LOOP;
END
$$;
