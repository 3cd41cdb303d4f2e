-- parts.sql: tables of the source in parts, and what the target notes of each.

-- SOURCE: which database it is, whatever its address
SELECT concat_ws(' ', c.system_identifier, d.oid, d.datname)
FROM pg_control_system() AS c
CROSS JOIN pg_database AS d
WHERE d.datname = current_database();

-- STATISTICS: while this stays, no counter went back; a crash resets those of the archiver, too
SELECT
    concat_ws(
        ' ', pg_postmaster_start_time(), a.stats_reset, d.stats_reset,
        CASE WHEN current_setting('track_counts') <> 'on' THEN clock_timestamp() END
    )
FROM pg_stat_archiver AS a
CROSS JOIN pg_stat_database AS d
WHERE d.datname = current_database();

-- REFERENCES: which table refers to which
SELECT c.conrelid, c.confrelid
FROM pg_constraint AS c
WHERE
    c.contype = 'f'
    AND c.conrelid <> c.confrelid
    AND c.conrelid = ANY (%(tables)s::oid[])
    AND c.confrelid = ANY (%(tables)s::oid[]);

-- FACTS: of tables in their order, what parts.Table holds
WITH hypertables AS (
    SELECT
        format('%%I.%%I', d.hypertable_schema, d.hypertable_name)::regclass::oid AS oid,
        d.column_name::text AS time
    FROM timescaledb_information.dimensions AS d
    WHERE d.dimension_number = 1
),

parents AS (
    SELECT DISTINCT f.conrelid AS child, f.confrelid AS oid
    FROM pg_constraint AS f
    INNER JOIN hypertables AS h ON f.conrelid = h.oid
    WHERE f.contype = 'f' AND f.confrelid NOT IN (SELECT x.oid FROM hypertables AS x)
)

SELECT
    c.oid,
    n.nspname::text,
    c.relname::text,
    ARRAY(
        SELECT a.attname::text
        FROM pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
        ORDER BY a.attnum
    ),
    ARRAY(
        SELECT a.attname::text
        FROM pg_index AS i
        INNER JOIN pg_attribute AS a ON i.indrelid = a.attrelid AND a.attnum = ANY (i.indkey)
        WHERE i.indisprimary AND i.indrelid = c.oid
        ORDER BY array_position(i.indkey, a.attnum)
    ),
    coalesce(h.time, ''),
    ARRAY(SELECT p.oid FROM parents AS p WHERE p.child = c.oid),
    EXISTS (SELECT FROM parents AS p WHERE p.oid = c.oid)
FROM unnest(%(tables)s::oid[]) WITH ORDINALITY AS t (oid, place)
INNER JOIN pg_class AS c ON t.oid = c.oid
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
LEFT JOIN hypertables AS h ON c.oid = h.oid
ORDER BY t.place;

-- CHUNKS: ranges of the hypertables, the oldest first
SELECT
    format('%I.%I', c.hypertable_schema, c.hypertable_name)::regclass::oid,
    c.range_start::text,
    c.range_end::text,
    to_regclass(format('%I.%I', c.chunk_schema, c.chunk_name))::oid,
    coalesce(c.is_compressed, FALSE)
FROM timescaledb_information.chunks AS c
WHERE to_regclass(format('%I.%I', c.chunk_schema, c.chunk_name)) IS NOT NULL
ORDER BY c.range_start;

-- COUNTERS: rows written into each chunk since its statistics began. A chunk that was dropped and
-- filled again counts to the same numbers; TRUNCATE counts nothing, and takes another file.
SELECT
    t.oid,
    ARRAY[
        t.oid::bigint,
        pg_relation_filenode(t.oid)::bigint,
        pg_stat_get_tuples_inserted(t.oid),
        pg_stat_get_tuples_updated(t.oid),
        pg_stat_get_tuples_deleted(t.oid)
    ]
FROM unnest(%(tables)s::oid[]) AS t (oid);

-- NOTES: tables of the target while rows are moved into it
CREATE TABLE deploy.copied_parts (
    relation text,
    since text,
    until text NOT NULL,
    row_count bigint NOT NULL,
    checksum text NOT NULL,
    xact_id bigint NOT NULL,
    counters bigint[],
    statistics text NOT NULL,
    PRIMARY KEY (relation, since)
);
CREATE TABLE deploy.copied_keys (
    relation text,
    name text,
    definition text NOT NULL,
    PRIMARY KEY (relation, name)
);
CREATE TABLE deploy.copied_from (
    source text PRIMARY KEY,
    deployed bigint NOT NULL, -- the last number in deploy.history
    finished_at timestamptz
);

-- NOTED: parts that were copied
SELECT relation, since, until, row_count, checksum, xact_id, counters, statistics
FROM deploy.copied_parts;

-- NOTE: a part is as the source had it when xact_id was its oldest running transaction
INSERT INTO deploy.copied_parts AS p (
    relation, since, until, row_count, checksum, xact_id, counters, statistics
)
VALUES (
    %(relation)s, %(since)s, %(until)s, %(row_count)s, %(checksum)s, %(xact_id)s, %(counters)s,
    %(statistics)s
)
ON CONFLICT (relation, since) DO UPDATE
SET (until, row_count, checksum, xact_id, counters, statistics) = (
    excluded.until, excluded.row_count, excluded.checksum, excluded.xact_id, excluded.counters,
    excluded.statistics
);

-- KEEP_KEYS: notes the foreign keys of plain tables, which lie in the way of rows in any order
INSERT INTO deploy.copied_keys
SELECT
    c.conrelid::regclass::text,
    c.conname,
    regexp_replace(pg_get_constraintdef(c.oid), ' NOT VALID$', '')
FROM pg_constraint AS c
WHERE c.contype = 'f' AND c.conparentid = 0 AND c.conrelid = ANY (%(tables)s::oid[])
ON CONFLICT DO NOTHING;

-- LOOSEN: statements that take them away, and triggers off
SELECT format('ALTER TABLE %%s DISABLE TRIGGER USER', t.oid::regclass)
FROM unnest(%(tables)s::oid[]) AS t (oid)
UNION ALL
SELECT format('ALTER TABLE %%s DROP CONSTRAINT %%I', c.conrelid::regclass, c.conname)
FROM pg_constraint AS c
WHERE c.contype = 'f' AND c.conparentid = 0 AND c.conrelid = ANY (%(tables)s::oid[]);

-- TIGHTEN: statements that give both back
SELECT format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s NOT VALID', k.relation, k.name, k.definition)
FROM deploy.copied_keys AS k
UNION ALL
SELECT format('ALTER TABLE %%s ENABLE TRIGGER USER', t.oid::regclass)
FROM unnest(%(tables)s::oid[]) AS t (oid);

-- VALIDATE: statements that look at the rows of foreign keys where that was not done
SELECT format('ALTER TABLE %s VALIDATE CONSTRAINT %I', c.conrelid::regclass, c.conname)
FROM pg_constraint AS c
INNER JOIN deploy.copied_keys AS k
    ON c.conrelid = k.relation::regclass AND c.conname = k.name
WHERE c.contype = 'f' AND NOT c.convalidated;
