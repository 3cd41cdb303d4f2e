-- copying.sql: tables as they are copied from database to database.

-- REFERENCES: which table refers to which
SELECT c.conrelid, c.confrelid
FROM pg_constraint AS c
WHERE
    c.contype = 'f'
    AND c.conrelid <> c.confrelid
    AND c.conrelid = ANY (%(tables)s::oid[])
    AND c.confrelid = ANY (%(tables)s::oid[]);

-- COLUMNS: those of a table that can be written
SELECT a.attname
FROM pg_attribute AS a
WHERE a.attrelid = %(table)s AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
ORDER BY a.attnum;
