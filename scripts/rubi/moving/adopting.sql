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

-- ASIDE: statements that move the base's objects into a schema of their own
WITH moved (kind, place, name) AS (
    SELECT 'VIEW', n.place, 'public.' || n.name
    FROM unnest(%(views)s::text[]) WITH ORDINALITY AS n (name, place)
    WHERE to_regclass('public.' || n.name) IS NOT NULL
    UNION ALL
    SELECT 'TABLE', 10 + n.place, 'public.' || n.name
    FROM unnest(%(tables)s::text[]) WITH ORDINALITY AS n (name, place)
    UNION ALL
    SELECT 'TYPE', 30 + n.place, 'public.' || n.name
    FROM unnest(%(types)s::text[]) WITH ORDINALITY AS n (name, place)
    WHERE to_regtype('public.' || n.name) IS NOT NULL
    UNION ALL
    SELECT DISTINCT 'FUNCTION', 40, p.oid::regprocedure::text
    FROM pg_trigger AS t
    INNER JOIN pg_proc AS p ON t.tgfoid = p.oid
    WHERE t.tgrelid IN (
            SELECT to_regclass('public.' || n.name)
            FROM unnest(%(tables)s::text[]) AS n (name)
        )
        AND NOT t.tgisinternal
        AND p.pronamespace = 'public'::regnamespace
        AND NOT EXISTS (
            SELECT FROM pg_depend AS d
            WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
        )
)

SELECT s.statement
FROM (
    SELECT 0, format('CREATE SCHEMA %%I', %(schema)s::text)
    UNION ALL
    SELECT m.place, format('ALTER %%s %%s SET SCHEMA %%I', m.kind, m.name, %(schema)s::text)
    FROM moved AS m
) AS s (place, statement)
ORDER BY s.place;

-- HOLD: snapshots of the base stay in full until an administrator ends the hold
UPDATE monitoring.lifecycle SET legal_hold = TRUE WHERE relation = 'public.account_snapshots';

-- DROP_BASE: statements that drop all of that; children before parents
SELECT s.statement
FROM (
    SELECT n.place, format('DROP VIEW IF EXISTS %%I.%%I', %(schema)s::text, n.name)
    FROM unnest(%(views)s::text[]) WITH ORDINALITY AS n (name, place)
    UNION ALL
    SELECT 30 - n.place, format('DROP TABLE IF EXISTS %%I.%%I', %(schema)s::text, n.name)
    FROM unnest(%(tables)s::text[]) WITH ORDINALITY AS n (name, place)
    UNION ALL
    SELECT 30 + n.place, format('DROP TYPE IF EXISTS %%I.%%I', %(schema)s::text, n.name)
    FROM unnest(%(types)s::text[]) WITH ORDINALITY AS n (name, place)
    UNION ALL
    SELECT 40, format('DROP FUNCTION %%s', p.oid::regprocedure)
    FROM pg_proc AS p
    WHERE p.pronamespace = %(schema)s::regnamespace
    UNION ALL
    SELECT 50, format('DROP SCHEMA %%I', %(schema)s::text)
) AS s (place, statement)
ORDER BY s.place;
