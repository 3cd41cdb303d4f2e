-- 2050_timescaledb_edition.sql: the edition of TimescaleDB that this server runs, and the features
-- in use.

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

CREATE OR REPLACE FUNCTION monitoring.has_columnstore(p_table text)
RETURNS boolean
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM timescaledb_information.hypertables AS h
        WHERE h.hypertable_schema = 'public'
            AND h.hypertable_name = p_table
            AND h.compression_enabled
    )
$$;
COMMENT ON FUNCTION monitoring.has_columnstore(text) IS
'Whether a hypertable of public keeps old chunks by column, which takes the Timescale licence.';
REVOKE ALL ON FUNCTION monitoring.has_columnstore(text) FROM public;

-- A write into a chunk stored by column first decompresses the rows it touches, and TimescaleDB
-- stops a statement after 100,000 of them (53400). Since 2.17 a setting lifts the limit.
CREATE OR REPLACE FUNCTION internal.lift_columnstore_limit()
RETURNS void
LANGUAGE sql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT set_config(s.name, '0', TRUE)
    FROM (VALUES ('timescaledb.max_tuples_decompressed_per_dml_transaction')) AS s (name)
    WHERE current_setting(s.name, TRUE) IS NOT NULL
$$;
COMMENT ON FUNCTION internal.lift_columnstore_limit() IS
'Lets the transaction write any number of rows to chunks stored by column.';
REVOKE ALL ON FUNCTION internal.lift_columnstore_limit() FROM public;
