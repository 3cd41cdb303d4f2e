-- 2010_timescaledb_edition.sql: which edition of TimescaleDB this server runs.
-- needs: schema/0030_schemas.sql
-- transaction: yes

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION monitoring.timescaledb_edition()
RETURNS text
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(current_setting('timescaledb.license', TRUE), 'apache')
$$;
COMMENT ON FUNCTION monitoring.timescaledb_edition() IS
'apache, or timescale where columnstore, policies and continuous aggregates may be used.';
REVOKE ALL ON FUNCTION monitoring.timescaledb_edition() FROM public;
