-- 3851_monitoring_tables.sql: cache hits, bloat, dead rows, wraparound and sequences.

CALL deploy.become_owner();

CREATE OR REPLACE VIEW monitoring.cache_hits
WITH (security_invoker = TRUE) AS
WITH counted AS (
    SELECT
        'database' AS relation,
        d.blks_hit AS hits,
        d.blks_read AS reads
    FROM pg_catalog.pg_stat_database AS d
    WHERE d.datname = current_database()
    UNION ALL
    SELECT
        t.table_schema || '.' || t.table_name AS relation,
        sum(pg_stat_get_blocks_hit(t.relation))::bigint AS hits,
        sum(pg_stat_get_blocks_fetched(t.relation) - pg_stat_get_blocks_hit(t.relation))::bigint
            AS reads
    FROM monitoring.stored_tables AS t
    GROUP BY t.table_schema, t.table_name
)

SELECT
    c.relation,
    c.hits,
    c.reads,
    round(100.0 * c.hits / nullif(c.hits + c.reads, 0), 2) AS percent
FROM counted AS c;

COMMENT ON VIEW monitoring.cache_hits IS
'Share of blocks that came from shared_buffers, for the database and each table.';
COMMENT ON COLUMN monitoring.cache_hits.relation IS
'Table with its schema, a hypertable as a whole, or database.';
COMMENT ON COLUMN monitoring.cache_hits.hits IS 'Blocks found in shared_buffers.';
COMMENT ON COLUMN monitoring.cache_hits.reads IS
'Blocks asked of the system, whose cache may have had them.';
COMMENT ON COLUMN monitoring.cache_hits.percent IS 'hits in percent; NULL without any.';

CREATE OR REPLACE VIEW monitoring.bloat
WITH (security_invoker = TRUE) AS
SELECT
    t.table_schema,
    t.table_name,
    sum(b.page_bytes)::bigint AS bytes,
    sum(greatest(b.page_bytes - b.needed_bytes, 0))::bigint AS wasted_bytes,
    round(
        100.0 * sum(greatest(b.page_bytes - b.needed_bytes, 0)) / nullif(sum(b.page_bytes), 0), 1
    ) AS percent
FROM monitoring.estimate_bloat() AS b
INNER JOIN monitoring.stored_tables AS t ON b.relation = t.relation
GROUP BY t.table_schema, t.table_name;

COMMENT ON VIEW monitoring.bloat IS
'Estimate of the space that tables take beyond the need of their rows, by the last VACUUM or
ANALYZE.';
COMMENT ON COLUMN monitoring.bloat.table_schema IS 'Schema of the table.';
COMMENT ON COLUMN monitoring.bloat.table_name IS 'Table or hypertable.';
COMMENT ON COLUMN monitoring.bloat.bytes IS 'Bytes of its pages.';
COMMENT ON COLUMN monitoring.bloat.wasted_bytes IS 'Bytes that its rows do not need.';
COMMENT ON COLUMN monitoring.bloat.percent IS 'wasted_bytes in percent of bytes.';

CREATE OR REPLACE VIEW monitoring.dead_rows
WITH (security_invoker = TRUE) AS
WITH dead AS MATERIALIZED (
    SELECT
        t.relation,
        t.table_schema,
        t.table_name,
        pg_stat_get_dead_tuples(t.relation) AS dead_rows
    FROM monitoring.stored_tables AS t
)

SELECT
    d.table_schema,
    d.table_name,
    d.relation::regclass::text AS relation,
    d.dead_rows,
    ceil(p.base + p.scale * greatest(c.reltuples, 0)::numeric)::bigint AS threshold,
    round(d.dead_rows / greatest(p.base + p.scale * greatest(c.reltuples, 0)::numeric, 1), 2)
        AS ratio,
    greatest(
        pg_stat_get_last_vacuum_time(d.relation), pg_stat_get_last_autovacuum_time(d.relation)
    ) AS last_vacuum
FROM dead AS d
INNER JOIN pg_catalog.pg_class AS c ON d.relation = c.oid
CROSS JOIN
    LATERAL (
        SELECT
            coalesce(
                max(o.option_value) FILTER (WHERE o.option_name = 'autovacuum_vacuum_threshold'),
                current_setting('autovacuum_vacuum_threshold')
            )::numeric AS base,
            coalesce(
                max(o.option_value) FILTER (WHERE o.option_name = 'autovacuum_vacuum_scale_factor'),
                current_setting('autovacuum_vacuum_scale_factor')
            )::numeric AS scale
        FROM pg_options_to_table(c.reloptions) AS o
    ) AS p
WHERE d.dead_rows > 0;

COMMENT ON VIEW monitoring.dead_rows IS
'Tables and chunks with dead rows, and how far autovacuum lags behind its own threshold.';
COMMENT ON COLUMN monitoring.dead_rows.table_schema IS 'Schema of the table.';
COMMENT ON COLUMN monitoring.dead_rows.table_name IS 'Table or hypertable.';
COMMENT ON COLUMN monitoring.dead_rows.relation IS 'The table itself, or the chunk.';
COMMENT ON COLUMN monitoring.dead_rows.dead_rows IS 'Dead rows, estimated.';
COMMENT ON COLUMN monitoring.dead_rows.threshold IS
'Number of dead rows at which autovacuum comes.';
COMMENT ON COLUMN monitoring.dead_rows.ratio IS
'dead_rows over threshold; above 1 a VACUUM is due.';
COMMENT ON COLUMN monitoring.dead_rows.last_vacuum IS 'Latest VACUUM, also by autovacuum, UTC.';

CREATE OR REPLACE VIEW monitoring.wraparound
WITH (security_invoker = TRUE) AS
SELECT
    d.datname AS database,
    age(d.datfrozenxid)::bigint AS transactions,
    mxid_age(d.datminmxid)::bigint AS multixacts,
    round(100.0 * greatest(age(d.datfrozenxid), mxid_age(d.datminmxid)) / 2147483648, 2)
        AS percent,
    current_setting('autovacuum_freeze_max_age')::bigint AS freezes_at
FROM pg_catalog.pg_database AS d;

COMMENT ON VIEW monitoring.wraparound IS
'Largest possible age, in transactions, of the oldest unfrozen row of each database. At 2147 million
the server stops writing.';
COMMENT ON COLUMN monitoring.wraparound.database IS 'Database.';
COMMENT ON COLUMN monitoring.wraparound.transactions IS 'Age in transactions.';
COMMENT ON COLUMN monitoring.wraparound.multixacts IS 'Age in multixacts.';
COMMENT ON COLUMN monitoring.wraparound.percent IS
'The larger of both in percent of what is possible.';
COMMENT ON COLUMN monitoring.wraparound.freezes_at IS
'Age in transactions at which autovacuum freezes by force.';

CREATE OR REPLACE VIEW monitoring.sequences
WITH (security_invoker = TRUE) AS
SELECT
    s.schema_name AS sequence_schema,
    s.sequence_name,
    s.last_value,
    s.end_value,
    round(100.0 * coalesce(s.last_value, 0) / s.end_value, 2) AS percent
FROM monitoring.read_sequences() AS s;

COMMENT ON VIEW monitoring.sequences IS 'Used share of the sequences'' ranges.';
COMMENT ON COLUMN monitoring.sequences.sequence_schema IS 'Schema.';
COMMENT ON COLUMN monitoring.sequences.sequence_name IS 'Sequence.';
COMMENT ON COLUMN monitoring.sequences.last_value IS 'Latest number given; NULL for none.';
COMMENT ON COLUMN monitoring.sequences.end_value IS 'Last possible number.';
COMMENT ON COLUMN monitoring.sequences.percent IS 'last_value in percent of end_value.';
