-- archiving.sql: what archives are noted, and the database's own measure of their rows.

-- NOTED: is a file equal to its rows, and which number has the next one
SELECT
    coalesce(
        sum(a.row_count) FILTER (WHERE a.dropped_at IS NULL) = %(row_count)s
        AND sum(a.row_hash) FILTER (WHERE a.dropped_at IS NULL) = %(row_hash)s
        AND bool_and(a.range_end = %(range_end)s) FILTER (WHERE a.dropped_at IS NULL),
        FALSE
    ) AS is_noted,
    coalesce(max(a.number) + bool_and(a.dropped_at IS NOT NULL)::integer, 1) AS number
FROM monitoring.archives AS a
WHERE a.relation = %(relation)s AND a.part = %(part)s AND a.range_start = %(range_start)s;

-- MEASURE: count and hash of a file's rows in a table
SELECT m.row_count, m.row_hash
FROM monitoring.lifecycle AS l
CROSS JOIN LATERAL internal.measure_rows(
    %(table)s::regclass, l, %(range_start)s, %(range_end)s, %(part)s
) AS m
WHERE l.relation = %(relation)s;

-- NOTE: a file that the database compared with its rows
INSERT INTO monitoring.archives AS a (
    relation, part, range_start, range_end, number, location, sha256, row_count, row_hash
)
VALUES (
    %(relation)s, %(part)s, %(range_start)s, %(range_end)s, %(number)s, %(location)s, %(sha256)s,
    %(row_count)s, %(row_hash)s
)
ON CONFLICT (relation, part, range_start, number) DO UPDATE
    SET range_end = excluded.range_end, location = excluded.location, sha256 = excluded.sha256,
        row_count = excluded.row_count, row_hash = excluded.row_hash, archived_at = now()
    WHERE a.dropped_at IS NULL;

-- REPLACE: files whose rows are in a later and longer one
DELETE FROM monitoring.archives AS a
WHERE a.relation = %(relation)s AND a.part = %(part)s AND a.range_start = %(range_start)s
    AND a.range_end <= %(range_end)s AND a.number <> %(number)s AND a.dropped_at IS NULL
RETURNING a.location;

-- FILES: files of a time, of one table and part or of all; oldest first
SELECT
    a.relation, a.part, a.range_start, a.range_end, a.number, a.location, a.sha256, a.row_count,
    a.row_hash, a.dropped_at
FROM monitoring.archives AS a
WHERE (%(relation)s::text IS NULL OR a.relation = %(relation)s)
    AND (%(part)s = '' OR a.part = %(part)s)
    AND a.range_end > %(since)s AND a.range_start < %(until)s
ORDER BY a.relation, a.range_start, a.part, a.number;

-- FORGET: a damaged file no longer lets its rows be dropped
DELETE FROM monitoring.archives AS a
WHERE a.relation = %(relation)s AND a.part = %(part)s AND a.range_start = %(range_start)s
    AND a.number = %(number)s AND a.dropped_at IS NULL;

-- RESTORED: the table has the rows of a file again
UPDATE monitoring.archives AS a SET dropped_at = NULL
WHERE a.location = %(location)s;
