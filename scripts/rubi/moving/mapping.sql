-- mapping.sql: the catalog's facts about the tables that rows move into.

-- COLUMNS: columns that can be written; a domain is read as the type that it restricts
SELECT
    a.attname, t.typname, t.typtype,
    CASE WHEN o.typtype = 'd' THEN o.typtypmod ELSE a.atttypmod END AS modifier,
    a.attnotnull, pg_get_expr(d.adbin, d.adrelid) AS default_value,
    (
        SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
        FROM pg_enum AS e
        WHERE e.enumtypid = t.oid
    ) AS labels
FROM pg_attribute AS a
INNER JOIN pg_type AS o ON a.atttypid = o.oid
INNER JOIN pg_type AS t ON coalesce(nullif(o.typbasetype, 0), o.oid) = t.oid
LEFT JOIN pg_attrdef AS d ON a.attrelid = d.adrelid AND a.attnum = d.adnum
WHERE
    a.attrelid = %(table)s::regclass
    AND a.attnum > 0
    AND NOT a.attisdropped
    AND a.attgenerated = ''
ORDER BY a.attnum;
