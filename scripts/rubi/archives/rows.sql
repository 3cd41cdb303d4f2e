-- rows.sql: the columns of a table as Arrow has to keep them.

-- COLUMNS: name, the type behind a domain, its precision and scale
WITH columns AS (
    SELECT
        a.attnum,
        a.attname,
        coalesce(nullif(t.typbasetype, 0), t.oid) AS type,
        CASE WHEN t.typbasetype <> 0 THEN t.typtypmod ELSE a.atttypmod END AS modifier
    FROM pg_attribute AS a
    INNER JOIN pg_type AS t ON a.atttypid = t.oid
    WHERE a.attrelid = %(table)s::regclass AND a.attnum > 0 AND NOT a.attisdropped
)

SELECT
    c.attname,
    format_type(c.type, NULL) AS type,
    (nullif(c.modifier, -1) - 4) >> 16 AS numeric_precision,
    (nullif(c.modifier, -1) - 4) & 2047 AS numeric_scale
FROM columns AS c
ORDER BY c.attnum;
