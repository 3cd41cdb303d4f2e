-- rights.sql: the matrix of docs/reference/rights.md.

-- RELATIONS: letters of each role's rights on a table or view
SELECT
    n.nspname || '.' || c.relname AS relation,
    array_agg(
        CASE
            WHEN has_table_privilege(r.role, c.oid, a.action) THEN upper(left(a.action, 1))
            WHEN a.action <> 'DELETE' AND has_any_column_privilege(r.role, c.oid, a.action)
                THEN lower(left(a.action, 1))
            ELSE ''
        END
        ORDER BY r.position, a.position
    ) AS cells
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
CROSS JOIN unnest(%(roles)s::text[]) WITH ORDINALITY AS r (role, position)
CROSS JOIN unnest(%(actions)s::text[]) WITH ORDINALITY AS a (action, position)
WHERE
    n.nspname = ANY (%(schemas)s)
    AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition
    AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e')
GROUP BY n.nspname, c.relname
ORDER BY n.nspname, c.relname;

-- FUNCTIONS: the roles that may call a function
SELECT
    p.oid::regprocedure::text,
    coalesce(
        string_agg(r.role, ', ' ORDER BY r.position)
        FILTER (WHERE has_function_privilege(r.role, p.oid, 'EXECUTE')), ''
    )
FROM pg_proc AS p
CROSS JOIN unnest(%(roles)s::text[]) WITH ORDINALITY AS r (role, position)
WHERE
    p.pronamespace::regnamespace::text = ANY (%(schemas)s)
    AND p.prorettype <> 'trigger'::regtype
    AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e')
GROUP BY p.oid
ORDER BY 1;
