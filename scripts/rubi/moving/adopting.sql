-- adopting.sql: objects that stand in the way of adopting a database of the base system.

-- STRANGERS: objects of others that hang on the base's tables
SELECT DISTINCT 'view ' || r.ev_class::regclass::text AS name
FROM pg_depend AS d
INNER JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
INNER JOIN pg_class AS c ON r.ev_class = c.oid
WHERE
    d.refclassid = 'pg_class'::regclass
    AND d.refobjid = ANY (%(tables)s::regclass[])
    AND c.relname <> ALL (%(views)s)
UNION ALL
SELECT format('foreign key %%s of %%s', k.conname, k.conrelid::regclass)
FROM pg_constraint AS k
WHERE
    k.contype = 'f'
    AND k.confrelid = ANY (%(tables)s::regclass[])
    AND k.conrelid <> ALL (%(tables)s::regclass[])
UNION ALL
SELECT format('trigger %%s of %%s', t.tgname, t.tgrelid::regclass)
FROM pg_trigger AS t
INNER JOIN pg_proc AS p ON t.tgfoid = p.oid
WHERE
    t.tgrelid = ANY (%(tables)s::regclass[])
    AND NOT t.tgisinternal
    AND p.proname <> %(function)s
    AND NOT EXISTS (
        SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    )
ORDER BY name;
