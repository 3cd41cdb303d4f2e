-- catalog.sql: the contents of docs/schema/, equal on every server version.

-- RELATIONS: tables and views
SELECT c.oid::bigint, n.nspname AS schema, c.relname AS name,
    CASE WHEN c.relkind IN ('r', 'p') THEN 'table' ELSE 'view' END AS kind,
    obj_description(c.oid, 'pg_class') AS comment,
    c.relrowsecurity AS row_security,
    coalesce(c.reloptions::text LIKE '%%security_invoker=true%%', FALSE) AS as_invoker,
    EXISTS (
        SELECT FROM timescaledb_information.hypertables AS h
        WHERE h.hypertable_schema = n.nspname AND h.hypertable_name = c.relname
    ) AS is_hypertable
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
WHERE c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition
    AND n.nspname = ANY (%(schemas)s) AND NOT EXISTS (
        SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e'
    )
ORDER BY n.nspname, c.relname;

-- COLUMNS: columns with their types, defaults and comments
SELECT a.attrelid::bigint AS oid, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
    a.attnotnull AS required, col_description(a.attrelid, a.attnum) AS comment,
    CASE WHEN a.attidentity <> '' THEN 'identity'
    ELSE CASE WHEN a.attgenerated <> '' THEN 'generated: ' ELSE '' END
        || pg_get_expr(e.adbin, e.adrelid) END AS "default"
FROM pg_attribute AS a
LEFT JOIN pg_attrdef AS e ON a.attrelid = e.adrelid AND a.attnum = e.adnum
WHERE a.attrelid = ANY (%(oids)s::bigint[]::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum;

-- CONSTRAINTS: keys and checks, in the order of reading
SELECT c.conrelid::bigint AS oid, c.conname AS name, c.contype::text AS kind,
    pg_get_constraintdef(c.oid) AS definition, obj_description(c.oid, 'pg_constraint') AS comment,
    c.confrelid::bigint AS parent, c.confdeltype::text AS on_delete,
    ARRAY(
        SELECT a.attname::text
        FROM unnest(c.conkey) WITH ORDINALITY AS k (number, position)
        INNER JOIN pg_attribute AS a ON c.conrelid = a.attrelid AND k.number = a.attnum
        ORDER BY k.position
    ) AS columns,
    ARRAY(
        SELECT a.attname::text
        FROM unnest(c.confkey) WITH ORDINALITY AS k (number, position)
        INNER JOIN pg_attribute AS a ON c.confrelid = a.attrelid AND k.number = a.attnum
        ORDER BY k.position
    ) AS parent_columns,
    ARRAY(
        SELECT a.attname::text
        FROM unnest(c.confdelsetcols) AS k (number)
        INNER JOIN pg_attribute AS a ON c.conrelid = a.attrelid AND k.number = a.attnum
        ORDER BY k.number
    ) AS emptied_columns
FROM pg_constraint AS c
-- 18 lists NOT NULL here too, which the columns say
WHERE c.conrelid = ANY (%(oids)s::bigint[]::oid[]) AND c.contype IN ('p', 'u', 'f', 'c', 'x')
ORDER BY c.conrelid, array_position('{p,u,f,c,x}'::text[], c.contype::text), c.conname;

-- INDEXES: indexes, those of constraints named so
SELECT i.indrelid::bigint AS oid, c.relname AS name, i.indisunique AS is_unique,
    regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING ', '') AS definition,
    obj_description(c.oid, 'pg_class') AS comment,
    (SELECT k.conname FROM pg_constraint AS k
        WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x')) AS of_constraint
FROM pg_index AS i
INNER JOIN pg_class AS c ON i.indexrelid = c.oid
WHERE i.indrelid = ANY (%(oids)s::bigint[]::oid[])
ORDER BY i.indrelid, c.relname;

-- TRIGGERS: our triggers with the comment of their function
SELECT t.tgrelid::bigint AS oid, t.tgname AS name, pg_get_triggerdef(t.oid) AS definition,
    p.oid::regprocedure::text AS function, obj_description(p.oid, 'pg_proc') AS comment
FROM pg_trigger AS t
INNER JOIN pg_proc AS p ON t.tgfoid = p.oid
-- TimescaleDB's own triggers come and go with its versions
WHERE t.tgrelid = ANY (%(oids)s::bigint[]::oid[]) AND NOT t.tgisinternal
    AND t.tgname NOT LIKE 'ts\_%%'
ORDER BY t.tgrelid, t.tgname;

-- POLICIES: the rows that a role sees and may write
SELECT p.polrelid::bigint AS oid, p.polname AS name, p.polcmd::text AS action,
    ARRAY(SELECT r.rolname::text FROM pg_roles AS r WHERE r.oid = ANY (p.polroles) ORDER BY 1)
        AS roles,
    pg_get_expr(p.polqual, p.polrelid) AS shows,
    pg_get_expr(p.polwithcheck, p.polrelid) AS takes
FROM pg_policy AS p
WHERE p.polrelid = ANY (%(oids)s::bigint[]::oid[])
ORDER BY p.polrelid, p.polname;

-- FUNCTIONS: functions and procedures, their callers, the tables that fire them
SELECT p.oid::bigint, n.nspname AS schema, p.proname AS name, p.prokind::text AS kind,
    pg_get_function_arguments(p.oid) AS arguments,
    coalesce(pg_get_function_result(p.oid), '') AS result,
    p.oid::regprocedure::text AS signature,
    CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END
        AS volatility,
    p.prosecdef AS as_owner, p.proretset AS returns_set,
    p.prorettype = 'trigger'::regtype OR p.prorettype = 'event_trigger'::regtype AS is_trigger,
    obj_description(p.oid, 'pg_proc') AS comment,
    p.proargnames[:p.pronargs]::text[] AS names,
    ARRAY(SELECT format_type(t.type, NULL)
        FROM unnest(p.proargtypes) WITH ORDINALITY AS t (type, number) ORDER BY t.number) AS types,
    p.pronargdefaults AS defaults,
    ARRAY(SELECT r.role FROM unnest(%(roles)s::text[]) WITH ORDINALITY AS r (role, number)
        WHERE has_function_privilege(r.role, p.oid, 'EXECUTE') ORDER BY r.number) AS roles,
    ARRAY(SELECT DISTINCT t.tgrelid::regclass::text FROM pg_trigger AS t
        WHERE t.tgfoid = p.oid AND NOT t.tgisinternal
        AND t.tgrelid::regclass::text NOT LIKE '\_timescaledb%%' ORDER BY 1) AS fired_on
FROM pg_proc AS p
INNER JOIN pg_namespace AS n ON p.pronamespace = n.oid
WHERE
    n.nspname = ANY (%(schemas)s) AND NOT EXISTS (
        SELECT FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e'
    )
ORDER BY n.nspname, p.proname, p.oid::regprocedure::text;
