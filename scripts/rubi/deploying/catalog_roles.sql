-- catalog_roles.sql: roles, settings and extensions, in the form of catalog.sql. The deploying
-- role, and the members of our roles, are each site's own matter.
WITH ours AS (
    SELECT r.oid, r.rolname::text AS name
    FROM pg_roles AS r
    WHERE r.rolname ~ '^rubi_' AND r.rolname NOT IN ('rubi_admin', session_user)
)

SELECT
    'role' AS kind, o.name, '' AS parent,
    concat_ws(
        ' ', CASE WHEN r.rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
        CASE WHEN r.rolsuper THEN 'SUPERUSER' END,
        CASE WHEN r.rolcreatedb THEN 'CREATEDB' END,
        CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END,
        CASE WHEN NOT r.rolinherit THEN 'NOINHERIT' END,
        CASE WHEN r.rolreplication THEN 'REPLICATION' END,
        CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END,
        'CONNECTION LIMIT ' || nullif(r.rolconnlimit, -1)
    ) AS definition,
    format('SELECT * FROM pg_roles WHERE rolname = %L;', o.name) AS show
FROM ours AS o
INNER JOIN pg_roles AS r ON o.oid = r.oid
UNION ALL
-- a membership has its own choice of inheritance from PostgreSQL 16 on
SELECT
    'membership', format('%s in %s', o.name, g.rolname), '',
    string_agg(
        DISTINCT concat_ws(
            ' ', 'member', CASE WHEN m.admin_option THEN 'with admin option' END,
            'inherit ' || (to_jsonb(m) ->> 'inherit_option'),
            'set ' || (to_jsonb(m) ->> 'set_option')
        ), '; '
    ),
    format('SELECT roleid::regrole, * FROM pg_auth_members WHERE member = %L::regrole;', o.name)
FROM pg_auth_members AS m
INNER JOIN ours AS o ON m.member = o.oid
INNER JOIN pg_roles AS g ON m.roleid = g.oid
GROUP BY o.name, g.rolname
UNION ALL
SELECT
    CASE WHEN o.oid IS NULL THEN 'database setting' ELSE 'role setting' END,
    concat_ws(
        ' ', o.name,
        CASE WHEN o.oid IS NOT NULL AND t.setdatabase <> 0 THEN 'in this database' END,
        split_part(v, '=', 1)
    ), '', substr(v, strpos(v, '=') + 1), 'SELECT setrole::regrole, * FROM pg_db_role_setting;'
FROM pg_db_role_setting AS t
CROSS JOIN unnest(t.setconfig) AS v
INNER JOIN pg_database AS d ON d.datname = current_database()
LEFT JOIN ours AS o ON t.setrole = o.oid
WHERE (t.setrole = 0 AND t.setdatabase = d.oid)
    OR (o.oid IS NOT NULL AND t.setdatabase IN (0, d.oid))
UNION ALL
SELECT
    'extension', e.extname, '', 'version ' || e.extversion,
    format('SELECT extversion FROM pg_extension WHERE extname = %L;', e.extname)
FROM pg_extension AS e
UNION ALL
-- where a provider owns these objects, their grants are the provider's and are not compared
SELECT 'held', 'database grant', '', 'yes', ''
WHERE has_database_privilege(current_database(), 'CONNECT WITH GRANT OPTION')
UNION ALL
SELECT 'held', 'public grant', '', 'yes', ''
WHERE has_schema_privilege('public', 'USAGE WITH GRANT OPTION')
