-- 3852_monitoring_indexes.sql: indexes that are double, invalid or missing.

CALL deploy.become_owner();

CREATE OR REPLACE VIEW monitoring.duplicate_indexes
WITH (security_invoker = TRUE) AS
WITH indexes AS (
    SELECT
        i.indexrelid,
        i.indrelid,
        n.nspname AS table_schema,
        t.relname AS table_name,
        c.relname AS index_name,
        i.indkey::text || ' ' AS columns,
        i.indclass::text || ' ' AS operators,
        i.indcollation::text || ' ' AS collations,
        i.indoption::text || ' ' AS directions,
        concat_ws(
            '|', c.relam, pg_get_expr(i.indpred, i.indrelid), pg_get_expr(i.indexprs, i.indrelid)
        ) AS rest,
        i.indisunique OR i.indisprimary OR i.indisexclusion AS is_rule
    FROM pg_catalog.pg_index AS i
    INNER JOIN pg_catalog.pg_class AS c ON i.indexrelid = c.oid
    INNER JOIN pg_catalog.pg_class AS t ON i.indrelid = t.oid
    INNER JOIN pg_catalog.pg_namespace AS n ON t.relnamespace = n.oid
    WHERE
        n.nspname IN ('public', 'monitoring', 'internal', 'audit', 'deploy', 'migration')
        AND i.indisvalid
)

SELECT
    a.table_schema,
    a.table_name,
    a.index_name,
    min(b.index_name::text) AS covered_by,
    pg_relation_size(a.indexrelid) AS bytes
FROM indexes AS a
INNER JOIN indexes AS b
    ON
        a.indrelid = b.indrelid
        AND a.indexrelid <> b.indexrelid
        AND a.rest = b.rest
        AND starts_with(b.columns, a.columns)
        AND starts_with(b.operators, a.operators)
        AND starts_with(b.collations, a.collations)
        AND starts_with(b.directions, a.directions)
        -- of two equal indexes the younger could go
        AND (a.columns <> b.columns OR b.is_rule OR a.indexrelid > b.indexrelid)
WHERE NOT a.is_rule
GROUP BY a.table_schema, a.table_name, a.index_name, a.indexrelid;

COMMENT ON VIEW monitoring.duplicate_indexes IS
'Indexes that another index makes redundant: the same columns, or their beginning.';
COMMENT ON COLUMN monitoring.duplicate_indexes.table_schema IS 'Schema of the table.';
COMMENT ON COLUMN monitoring.duplicate_indexes.table_name IS 'Table.';
COMMENT ON COLUMN monitoring.duplicate_indexes.index_name IS
'Index that could go, as it keeps no rule.';
COMMENT ON COLUMN monitoring.duplicate_indexes.covered_by IS 'Index that serves the same queries.';
COMMENT ON COLUMN monitoring.duplicate_indexes.bytes IS
'Size of index_name in bytes, without the chunks of a hypertable.';

CREATE OR REPLACE VIEW monitoring.invalid_indexes
WITH (security_invoker = TRUE) AS
SELECT
    n.nspname AS table_schema,
    t.relname AS table_name,
    c.relname AS index_name,
    pg_relation_size(i.indexrelid) AS bytes
FROM pg_catalog.pg_index AS i
INNER JOIN pg_catalog.pg_class AS c ON i.indexrelid = c.oid
INNER JOIN pg_catalog.pg_class AS t ON i.indrelid = t.oid
INNER JOIN pg_catalog.pg_namespace AS n ON t.relnamespace = n.oid
WHERE
    (NOT i.indisvalid OR NOT i.indisready)
    -- a build in progress holds this lock on the table
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_locks AS k
        WHERE
            k.relation = i.indrelid
            AND k.mode = 'ShareUpdateExclusiveLock'
            AND k.granted
    );

COMMENT ON VIEW monitoring.invalid_indexes IS
'Indexes that cost writing and serve no query: an interrupted build left them. Indexes under
construction are left out.';
COMMENT ON COLUMN monitoring.invalid_indexes.table_schema IS 'Schema of the table.';
COMMENT ON COLUMN monitoring.invalid_indexes.table_name IS 'Table or chunk.';
COMMENT ON COLUMN monitoring.invalid_indexes.index_name IS 'Index.';
COMMENT ON COLUMN monitoring.invalid_indexes.bytes IS 'Size in bytes.';

CREATE OR REPLACE VIEW monitoring.foreign_keys_without_index
WITH (security_invoker = TRUE) AS
SELECT
    n.nspname AS table_schema,
    t.relname AS table_name,
    k.conname AS constraint_name,
    (
        SELECT string_agg(a.attname, ', ' ORDER BY u.ord)
        FROM unnest(k.conkey) WITH ORDINALITY AS u (attnum, ord)
        INNER JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid = k.conrelid AND u.attnum = a.attnum
    ) AS columns,
    k.confrelid::regclass::text AS parent,
    pg_table_size(k.conrelid) AS bytes
FROM pg_catalog.pg_constraint AS k
INNER JOIN pg_catalog.pg_class AS t ON k.conrelid = t.oid
INNER JOIN pg_catalog.pg_namespace AS n ON t.relnamespace = n.oid
WHERE
    k.contype = 'f'
    AND n.nspname IN ('public', 'monitoring', 'internal', 'audit', 'deploy', 'migration')
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_index AS i
        WHERE
            i.indrelid = k.conrelid
            AND i.indisvalid
            AND (
                i.indpred IS NULL
                -- rows without a value refer to no row
                OR pg_get_expr(i.indpred, i.indrelid) ~ '^\([a-z0-9_]+ IS NOT NULL\)$'
            )
            AND (
                (i.indkey::smallint[])[0:cardinality(k.conkey) - 1] @> k.conkey
                -- our composite keys begin with the id, which finds the row; the user follows
                OR i.indkey[0] = k.conkey[1]
            )
    );

COMMENT ON VIEW monitoring.foreign_keys_without_index IS
'Foreign keys that no index serves, neither with all columns nor with the first: a change of the
parent reads the whole table.';
COMMENT ON COLUMN monitoring.foreign_keys_without_index.table_schema IS
'Schema of the table that refers.';
COMMENT ON COLUMN monitoring.foreign_keys_without_index.table_name IS 'Table that refers.';
COMMENT ON COLUMN monitoring.foreign_keys_without_index.constraint_name IS 'Foreign key.';
COMMENT ON COLUMN monitoring.foreign_keys_without_index.columns IS 'Columns of the foreign key.';
COMMENT ON COLUMN monitoring.foreign_keys_without_index.parent IS 'Table referred to.';
COMMENT ON COLUMN monitoring.foreign_keys_without_index.bytes IS
'Size of the table that refers, in bytes.';

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
