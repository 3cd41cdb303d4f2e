-- 3130_monitoring_unused_indexes.sql: indexes that no query used since the statistics began.
-- needs: views/3110_monitoring_sizes.sql
-- transaction: yes

CALL deploy.become_owner();

-- Unique and constraint indexes do their work on writing, so they are left out. An index of a
-- hypertable is used through its chunks' indexes, which are summed up.
CREATE OR REPLACE VIEW monitoring.unused_indexes
WITH (security_invoker = TRUE) AS
SELECT
    s.table_schema,
    s.table_name,
    s.index_name,
    sum(s.bytes)::bigint AS bytes,
    pg_size_pretty(sum(s.bytes)) AS size
FROM monitoring.stored_indexes AS s
WHERE NOT s.is_constraint
GROUP BY s.table_schema, s.table_name, s.index_name
HAVING sum(s.scans) = 0;

COMMENT ON VIEW monitoring.unused_indexes IS
'Indexes without a scan since the statistics were reset; unique and constraint indexes left out.';
COMMENT ON COLUMN monitoring.unused_indexes.table_schema IS 'Schema of the table.';
COMMENT ON COLUMN monitoring.unused_indexes.table_name IS 'Table or hypertable.';
COMMENT ON COLUMN monitoring.unused_indexes.index_name IS 'Index.';
COMMENT ON COLUMN monitoring.unused_indexes.bytes IS 'Size in bytes, over all chunks.';
COMMENT ON COLUMN monitoring.unused_indexes.size IS 'The same for people.';
