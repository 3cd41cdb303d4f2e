-- measuring.sql: a manifest's facts about a database.

-- TABLES: Own tables: no system's, no extension's, no chunks, which their hypertable counts.
SELECT c.oid, n.nspname, c.relname
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
WHERE
    c.relkind = 'r'
    AND c.relpersistence = 'p'
    AND n.nspname !~ '^(pg_|_timescaledb_|information_schema$|timescaledb_)'
    AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname;

-- HIDDEN: Row security that hides rows from the dumping role hides them from the count, too.
SELECT t.oid::regclass::text
FROM unnest(%(tables)s::oid[]) AS t (oid)
WHERE
    row_security_active(t.oid)
    AND (
        NOT EXISTS (
            SELECT FROM pg_policy AS p
            WHERE
                p.polrelid = t.oid AND p.polpermissive AND p.polcmd IN ('*', 'r')
                AND pg_get_expr(p.polqual, p.polrelid) = 'true'
                AND EXISTS (
                    SELECT FROM unnest(p.polroles) AS r (oid)
                    WHERE CASE WHEN r.oid = 0 THEN TRUE ELSE pg_has_role(r.oid, 'USAGE') END
                )
        )
        OR EXISTS (
            SELECT FROM pg_policy AS p
            WHERE p.polrelid = t.oid AND NOT p.polpermissive AND p.polcmd IN ('*', 'r')
        )
    );

-- CHUNKS: number of chunks of each hypertable
SELECT format('%I.%I', hypertable_schema, hypertable_name), count(*)
FROM timescaledb_information.chunks GROUP BY 1 ORDER BY 1;

-- DROPPED: The catalog of a snapshot names chunks that were dropped since, but their rows are gone.
SELECT format('%I.%I', chunk_schema, chunk_name) FROM timescaledb_information.chunks
WHERE to_regclass(format('%I.%I', chunk_schema, chunk_name)) IS NULL;

-- DATABASE: owner, locale, rights and settings of a database
SELECT
    pg_get_userbyid(d.datdba), pg_encoding_to_char(d.encoding), d.datcollate, d.datctype,
    d.datlocprovider,
    coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),
    ARRAY(
        SELECT ARRAY[CASE WHEN a.grantee = 0 THEN 'public' ELSE a.grantee::regrole::text END,
            a.privilege_type]
        FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
        WHERE a.grantee <> d.datdba ORDER BY 1
    ),
    ARRAY(
        SELECT c.setting
        FROM pg_db_role_setting AS s
        CROSS JOIN unnest(s.setconfig) AS c (setting)
        WHERE s.setdatabase = d.oid AND s.setrole = 0
            AND c.setting !~ '^timescaledb\.restoring='
        ORDER BY c.setting
    )
FROM pg_database AS d WHERE d.datname = current_database();

-- HISTORY: the files applied last
SELECT DISTINCT ON (path) path, sha256 FROM deploy.history ORDER BY path ASC, id DESC;

-- SEQUENCES: sequences of columns, as the catalog knows them
SELECT s.oid::regclass::text, n.nspname, c.relname, a.attname
FROM pg_depend AS d
INNER JOIN pg_class AS s ON d.objid = s.oid AND s.relkind = 'S'
INNER JOIN pg_class AS c ON d.refobjid = c.oid AND c.oid = ANY (%(tables)s::oid[])
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
INNER JOIN pg_attribute AS a ON c.oid = a.attrelid AND d.refobjsubid = a.attnum
WHERE d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
ORDER BY 1;

-- UNREADABLE: tables and sequences at which a dump of this role would end
SELECT format('%I.%I', n.nspname, c.relname), pg_get_userbyid(c.relowner), count(*) OVER ()
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
WHERE
    c.relkind IN ('r', 'p', 'S')
    AND c.relpersistence <> 't'
    AND n.nspname !~ '^(pg_|_timescaledb_|information_schema$)'
    AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))
    AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1 LIMIT 1;

-- LEFT_OUT: TimescaleDB's own log, which before 2.12 only a superuser reads, and jobs of pg_cron,
-- which name a database: of no use elsewhere
SELECT format('%I.%I', n.nspname, c.relname)
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
WHERE
    (
        n.nspname = '_timescaledb_internal'
        AND c.relname = 'job_errors'
        AND NOT has_table_privilege(c.oid, 'SELECT')
    ) OR (
        c.relkind = 'r'
        AND EXISTS (
            SELECT FROM pg_depend AS d
            INNER JOIN pg_extension AS e ON d.refobjid = e.oid AND e.extname = 'pg_cron'
            WHERE d.objid = c.oid AND d.deptype = 'e'
        )
    )
ORDER BY 1;
