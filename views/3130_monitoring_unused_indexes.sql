-- 3130_monitoring_unused_indexes.sql: indexes that no query used since the statistics began.
-- needs: schema/0030_schemas.sql
-- transaction: yes

CALL deploy.become_owner();

-- Unique and constraint indexes do their work on writing, so they are left out. An index of a
-- hypertable is used through its chunks' indexes, which are summed up here.
CREATE OR REPLACE VIEW monitoring.unused_indexes
WITH (security_invoker = TRUE) AS
WITH scans AS (
    SELECT
        coalesce(ch.hypertable_schema, s.schemaname) AS table_schema,
        coalesce(ch.hypertable_name, s.relname) AS table_name,
        coalesce(parent.relname, s.indexrelname) AS index_name,
        s.idx_scan,
        pg_relation_size(s.indexrelid) AS bytes
    FROM pg_catalog.pg_stat_user_indexes AS s
    INNER JOIN pg_catalog.pg_index AS i ON s.indexrelid = i.indexrelid
    LEFT JOIN timescaledb_information.chunks AS ch
        ON s.schemaname = ch.chunk_schema AND s.relname = ch.chunk_name
    -- a chunk's index is named for the chunk and the index of the hypertable
    LEFT JOIN LATERAL (
        SELECT c.relname
        FROM pg_catalog.pg_index AS pi
        INNER JOIN pg_catalog.pg_class AS c ON pi.indexrelid = c.oid
        WHERE
            pi.indrelid = to_regclass(
                quote_ident(ch.hypertable_schema) || '.' || quote_ident(ch.hypertable_name)
            )
            AND s.indexrelname = (ch.chunk_name || '_' || c.relname)::name
    ) AS parent ON TRUE
    WHERE
        NOT i.indisunique
        AND i.indexrelid NOT IN (SELECT k.conindid FROM pg_catalog.pg_constraint AS k)
)

SELECT
    s.table_schema,
    s.table_name,
    s.index_name,
    sum(s.bytes)::bigint AS bytes,
    pg_size_pretty(sum(s.bytes)) AS size
FROM scans AS s
WHERE s.table_schema IN ('public', 'monitoring', 'deploy', 'internal')
GROUP BY s.table_schema, s.table_name, s.index_name
HAVING sum(s.idx_scan) = 0;

COMMENT ON VIEW monitoring.unused_indexes IS
'Indexes without a scan since the statistics were reset; unique and constraint indexes left out.';
COMMENT ON COLUMN monitoring.unused_indexes.table_schema IS 'Schema of the table.';
COMMENT ON COLUMN monitoring.unused_indexes.table_name IS 'Table or hypertable.';
COMMENT ON COLUMN monitoring.unused_indexes.index_name IS 'Index.';
COMMENT ON COLUMN monitoring.unused_indexes.bytes IS 'Size in bytes, over all chunks.';
COMMENT ON COLUMN monitoring.unused_indexes.size IS 'The same for people.';
