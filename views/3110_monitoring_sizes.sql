-- 3110_monitoring_sizes.sql: size of the database and of each table.
-- needs: schema/0030_schemas.sql, schema/0020_extensions.sql
-- transaction: yes

CALL deploy.become_owner();

CREATE OR REPLACE VIEW monitoring.database_size
WITH (security_invoker = TRUE) AS
SELECT
    current_database() AS database,
    pg_database_size(current_database()) AS bytes,
    pg_size_pretty(pg_database_size(current_database())) AS size;

COMMENT ON VIEW monitoring.database_size IS 'Size of this database on disk.';
COMMENT ON COLUMN monitoring.database_size.database IS 'Name of the database.';
COMMENT ON COLUMN monitoring.database_size.bytes IS 'Size in bytes.';
COMMENT ON COLUMN monitoring.database_size.size IS 'The same for people.';

-- A hypertable's own relation is empty: its chunks are counted with it, not as tables of their own.
CREATE OR REPLACE VIEW monitoring.table_sizes
WITH (security_invoker = TRUE) AS
WITH relations AS (
    SELECT
        coalesce(ch.hypertable_schema, n.nspname) AS table_schema,
        coalesce(ch.hypertable_name, c.relname) AS table_name,
        c.oid,
        ch.chunk_name IS NOT NULL AS is_chunk
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
    LEFT JOIN timescaledb_information.chunks AS ch
        ON n.nspname = ch.chunk_schema AND c.relname = ch.chunk_name
    WHERE
        c.relkind IN ('r', 'p', 'm')
        AND (ch.chunk_name IS NOT NULL OR n.nspname IN ('public', 'monitoring', 'deploy'))
)

SELECT
    r.table_schema,
    r.table_name,
    count(*) FILTER (WHERE r.is_chunk) AS chunks,
    sum(pg_table_size(r.oid))::bigint AS table_bytes,
    sum(pg_indexes_size(r.oid))::bigint AS index_bytes,
    sum(pg_total_relation_size(r.oid))::bigint AS total_bytes,
    pg_size_pretty(sum(pg_total_relation_size(r.oid))) AS total_size
FROM relations AS r
GROUP BY r.table_schema, r.table_name;

COMMENT ON VIEW monitoring.table_sizes IS
'Size of each table with its indexes and TOAST; a hypertable is the sum of its chunks.';
COMMENT ON COLUMN monitoring.table_sizes.table_schema IS 'Schema of the table.';
COMMENT ON COLUMN monitoring.table_sizes.table_name IS 'Table or hypertable.';
COMMENT ON COLUMN monitoring.table_sizes.chunks IS 'Number of chunks; 0 for a plain table.';
COMMENT ON COLUMN monitoring.table_sizes.table_bytes IS 'Bytes of rows and TOAST.';
COMMENT ON COLUMN monitoring.table_sizes.index_bytes IS 'Bytes of indexes.';
COMMENT ON COLUMN monitoring.table_sizes.total_bytes IS 'Bytes of both.';
COMMENT ON COLUMN monitoring.table_sizes.total_size IS 'The same for people.';
