-- 3850_monitoring_sizes.sql: sizes of the database, of tables, indexes and chunks, and growth.

CALL deploy.become_owner();

CREATE OR REPLACE VIEW monitoring.database_size
WITH (security_invoker = TRUE) AS
WITH measured AS MATERIALIZED (
    SELECT pg_database_size(current_database()) AS bytes
)

SELECT
    current_database() AS database,
    m.bytes,
    pg_size_pretty(m.bytes) AS size
FROM measured AS m;

COMMENT ON VIEW monitoring.database_size IS 'Size of this database on disk.';
COMMENT ON COLUMN monitoring.database_size.database IS 'Name of the database.';
COMMENT ON COLUMN monitoring.database_size.bytes IS 'Size in bytes.';
COMMENT ON COLUMN monitoring.database_size.size IS 'The size for people.';

-- A chunk belongs to its hypertable. Inheritance tells this at a tenth of the cost of
-- timescaledb_information.chunks.
CREATE OR REPLACE VIEW monitoring.stored_tables
WITH (security_invoker = TRUE) AS
SELECT
    c.oid AS relation,
    coalesce(pn.nspname, n.nspname) AS table_schema,
    coalesce(p.relname, c.relname) AS table_name,
    p.oid IS NOT NULL AS is_chunk
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
LEFT JOIN pg_catalog.pg_inherits AS i ON c.oid = i.inhrelid AND n.nspname = '_timescaledb_internal'
LEFT JOIN pg_catalog.pg_class AS p ON i.inhparent = p.oid
LEFT JOIN pg_catalog.pg_namespace AS pn ON p.relnamespace = pn.oid
WHERE
    c.relkind IN ('r', 'p', 'm')
    AND coalesce(pn.nspname, n.nspname) IN (
        'public', 'monitoring', 'internal', 'audit', 'deploy', 'migration'
    );

COMMENT ON VIEW monitoring.stored_tables IS
'Each table and chunk that holds rows of ours, with the table or hypertable it belongs to.';
COMMENT ON COLUMN monitoring.stored_tables.relation IS 'Its oid in pg_class.';
COMMENT ON COLUMN monitoring.stored_tables.table_schema IS 'Schema of the table or hypertable.';
COMMENT ON COLUMN monitoring.stored_tables.table_name IS 'Table or hypertable.';
COMMENT ON COLUMN monitoring.stored_tables.is_chunk IS 'TRUE for a chunk.';

-- TimescaleDB itself answers the size of a hypertable: the columnstore of a chunk lies in another
-- table, which does not inherit. A continuous aggregate is a view of a hypertable whose name is a
-- number.
CREATE OR REPLACE VIEW monitoring.stored_hypertables
WITH (security_invoker = TRUE) AS
SELECT
    h.hypertable_schema AS table_schema,
    h.hypertable_name AS table_name,
    to_regclass(format('%I.%I', h.hypertable_schema, h.hypertable_name)) AS relation
FROM timescaledb_information.hypertables AS h
WHERE h.hypertable_schema NOT LIKE '\_timescaledb\_%'
UNION ALL
SELECT
    a.view_schema,
    a.view_name,
    to_regclass(
        format('%I.%I', a.materialization_hypertable_schema, a.materialization_hypertable_name)
    ) AS relation
FROM timescaledb_information.continuous_aggregates AS a;

COMMENT ON VIEW monitoring.stored_hypertables IS
'Each hypertable, and each continuous aggregate with the hypertable behind it.';
COMMENT ON COLUMN monitoring.stored_hypertables.table_schema IS 'Schema.';
COMMENT ON COLUMN monitoring.stored_hypertables.table_name IS 'Hypertable, or aggregate.';
COMMENT ON COLUMN monitoring.stored_hypertables.relation IS 'Hypertable that holds the rows.';

-- Sizes are asked of the file system, so each is asked once. table_bytes is the rest of the total.
CREATE OR REPLACE VIEW monitoring.table_sizes
WITH (security_invoker = TRUE) AS
WITH hypertables AS MATERIALIZED (
    SELECT
        h.table_schema,
        h.table_name,
        h.relation,
        (
            SELECT count(*) FROM pg_catalog.pg_inherits AS i
            WHERE i.inhparent = h.relation
        ) AS chunks,
        z.total_bytes,
        z.index_bytes
    FROM monitoring.stored_hypertables AS h
    CROSS JOIN LATERAL public.hypertable_detailed_size(h.relation) AS z
),

plain AS MATERIALIZED (
    SELECT
        t.table_schema,
        t.table_name,
        pg_total_relation_size(t.relation) AS total_bytes,
        pg_indexes_size(t.relation) AS index_bytes
    FROM monitoring.stored_tables AS t
    WHERE NOT t.is_chunk AND t.relation NOT IN (SELECT h.relation FROM hypertables AS h)
),

sizes AS (
    SELECT
        h.table_schema,
        h.table_name,
        h.chunks,
        h.total_bytes,
        h.index_bytes
    FROM hypertables AS h
    UNION ALL
    SELECT
        p.table_schema,
        p.table_name,
        0 AS chunks,
        p.total_bytes,
        p.index_bytes
    FROM plain AS p
)

SELECT
    s.table_schema,
    s.table_name,
    s.chunks,
    s.total_bytes - s.index_bytes AS table_bytes,
    s.index_bytes,
    s.total_bytes,
    pg_size_pretty(s.total_bytes) AS total_size
FROM sizes AS s;

COMMENT ON VIEW monitoring.table_sizes IS
'Size of each table with its indexes and TOAST; a hypertable is the sum of its chunks, by row and by
column.';
COMMENT ON COLUMN monitoring.table_sizes.table_schema IS 'Schema of the table.';
COMMENT ON COLUMN monitoring.table_sizes.table_name IS 'Table or hypertable.';
COMMENT ON COLUMN monitoring.table_sizes.chunks IS 'Number of chunks; 0 for a plain table.';
COMMENT ON COLUMN monitoring.table_sizes.table_bytes IS 'Bytes of rows and TOAST.';
COMMENT ON COLUMN monitoring.table_sizes.index_bytes IS 'Bytes of indexes.';
COMMENT ON COLUMN monitoring.table_sizes.total_bytes IS 'Bytes of both.';
COMMENT ON COLUMN monitoring.table_sizes.total_size IS 'The size for people.';

-- A chunk's index is named for the chunk and the index of the hypertable, a constraint's with
-- numbers before it.
CREATE OR REPLACE VIEW monitoring.stored_indexes
WITH (security_invoker = TRUE) AS
WITH parents AS MATERIALIZED (
    SELECT
        t.relation AS chunk,
        (c.relname || '_' || pc.relname)::name AS chunk_index,
        pc.relname AS parent_index
    FROM monitoring.stored_tables AS t
    INNER JOIN pg_catalog.pg_class AS c ON t.relation = c.oid
    INNER JOIN pg_catalog.pg_inherits AS h ON t.relation = h.inhrelid
    INNER JOIN pg_catalog.pg_index AS pi ON h.inhparent = pi.indrelid
    INNER JOIN pg_catalog.pg_class AS pc ON pi.indexrelid = pc.oid
    WHERE t.is_chunk
),

kept AS MATERIALIZED (
    SELECT DISTINCT k.conindid
    FROM pg_catalog.pg_constraint AS k
    WHERE k.conindid <> 0
)

SELECT
    i.indexrelid AS index_relation,
    t.table_schema,
    t.table_name,
    coalesce(
        p.parent_index,
        CASE WHEN t.is_chunk THEN regexp_replace(c.relname, '^[0-9]+_([0-9]+_)?', '') END::name,
        c.relname
    ) AS index_name,
    i.indisunique OR k.conindid IS NOT NULL AS is_constraint,
    pg_stat_get_numscans(i.indexrelid) AS scans,
    pg_relation_size(i.indexrelid) AS bytes
FROM monitoring.stored_tables AS t
INNER JOIN pg_catalog.pg_index AS i ON t.relation = i.indrelid
INNER JOIN pg_catalog.pg_class AS c ON i.indexrelid = c.oid
LEFT JOIN parents AS p ON t.relation = p.chunk AND c.relname = p.chunk_index
LEFT JOIN kept AS k ON i.indexrelid = k.conindid;

COMMENT ON VIEW monitoring.stored_indexes IS
'Each index of our tables and chunks, with the table and index it belongs to.';
COMMENT ON COLUMN monitoring.stored_indexes.index_relation IS 'Its oid in pg_class.';
COMMENT ON COLUMN monitoring.stored_indexes.table_schema IS 'Schema of the table or hypertable.';
COMMENT ON COLUMN monitoring.stored_indexes.table_name IS 'Table or hypertable.';
COMMENT ON COLUMN monitoring.stored_indexes.index_name IS 'Index of the table or hypertable.';
COMMENT ON COLUMN monitoring.stored_indexes.is_constraint IS 'TRUE when the index keeps a rule.';
COMMENT ON COLUMN monitoring.stored_indexes.scans IS 'Scans since the statistics were reset.';
COMMENT ON COLUMN monitoring.stored_indexes.bytes IS 'Size in bytes.';

CREATE OR REPLACE VIEW monitoring.index_sizes
WITH (security_invoker = TRUE) AS
SELECT
    s.table_schema,
    s.table_name,
    s.index_name,
    sum(s.scans)::bigint AS scans,
    sum(s.bytes)::bigint AS bytes,
    pg_size_pretty(sum(s.bytes)) AS size
FROM monitoring.stored_indexes AS s
GROUP BY s.table_schema, s.table_name, s.index_name;

COMMENT ON VIEW monitoring.index_sizes IS
'Size and use of each index; one of a hypertable is the sum over its chunks.';
COMMENT ON COLUMN monitoring.index_sizes.table_schema IS 'Schema of the table.';
COMMENT ON COLUMN monitoring.index_sizes.table_name IS 'Table or hypertable.';
COMMENT ON COLUMN monitoring.index_sizes.index_name IS 'Index.';
COMMENT ON COLUMN monitoring.index_sizes.scans IS 'Scans since the statistics were reset.';
COMMENT ON COLUMN monitoring.index_sizes.bytes IS 'Size in bytes.';
COMMENT ON COLUMN monitoring.index_sizes.size IS 'The size for people.';

CREATE OR REPLACE VIEW monitoring.chunk_sizes
WITH (security_invoker = TRUE) AS
WITH measured AS MATERIALIZED (
    SELECT
        h.table_schema,
        h.table_name,
        z.chunk_schema,
        z.chunk_name,
        z.total_bytes,
        z.index_bytes
    FROM monitoring.stored_hypertables AS h
    CROSS JOIN LATERAL public.chunks_detailed_size(h.relation) AS z
)

SELECT
    m.table_schema,
    m.table_name,
    m.chunk_name,
    c.range_start,
    c.range_end,
    m.total_bytes,
    m.index_bytes
FROM measured AS m
INNER JOIN timescaledb_information.chunks AS c
    ON m.chunk_schema = c.chunk_schema AND m.chunk_name = c.chunk_name;

COMMENT ON VIEW monitoring.chunk_sizes IS 'Each chunk with its time range and size.';
COMMENT ON COLUMN monitoring.chunk_sizes.table_schema IS 'Schema of the hypertable.';
COMMENT ON COLUMN monitoring.chunk_sizes.table_name IS 'Hypertable.';
COMMENT ON COLUMN monitoring.chunk_sizes.chunk_name IS 'Chunk.';
COMMENT ON COLUMN monitoring.chunk_sizes.range_start IS 'First moment, UTC.';
COMMENT ON COLUMN monitoring.chunk_sizes.range_end IS 'End, not included, UTC.';
COMMENT ON COLUMN monitoring.chunk_sizes.total_bytes IS 'Bytes with indexes and TOAST.';
COMMENT ON COLUMN monitoring.chunk_sizes.index_bytes IS 'Bytes of its indexes.';

CREATE OR REPLACE VIEW monitoring.growth
WITH (security_invoker = TRUE) AS
WITH latest AS (
    SELECT DISTINCT ON (r.relation)
        r.relation,
        r.taken_on,
        r.bytes
    FROM monitoring.size_readings AS r
    ORDER BY r.relation ASC, r.taken_on DESC
)

SELECT
    l.relation,
    l.taken_on,
    l.bytes,
    l.bytes - w.bytes AS bytes_in_7_days,
    l.bytes - m.bytes AS bytes_in_30_days,
    pg_size_pretty(l.bytes - m.bytes) AS size_in_30_days,
    coalesce((l.bytes - m.bytes) / 30.0, (l.bytes - w.bytes) / 7.0) AS bytes_a_day
FROM latest AS l
LEFT JOIN monitoring.size_readings AS w
    ON l.relation = w.relation AND w.taken_on = l.taken_on - 7
LEFT JOIN monitoring.size_readings AS m
    ON l.relation = m.relation AND m.taken_on = l.taken_on - 30;

COMMENT ON VIEW monitoring.growth IS
'Growth of tables and of the database, by the daily readings of monitoring.take_readings().';
COMMENT ON COLUMN monitoring.growth.relation IS 'Table with its schema, or database.';
COMMENT ON COLUMN monitoring.growth.taken_on IS 'Day of the latest reading, UTC.';
COMMENT ON COLUMN monitoring.growth.bytes IS 'Bytes with indexes and TOAST.';
COMMENT ON COLUMN monitoring.growth.bytes_in_7_days IS
'Growth in bytes over 7 days; NULL when there was no reading.';
COMMENT ON COLUMN monitoring.growth.bytes_in_30_days IS
'Growth in bytes over 30 days; NULL when there was no reading.';
COMMENT ON COLUMN monitoring.growth.size_in_30_days IS 'The size for people.';
COMMENT ON COLUMN monitoring.growth.bytes_a_day IS
'Growth in bytes a day, of 30 days or else of 7; NULL when there was no reading.';
