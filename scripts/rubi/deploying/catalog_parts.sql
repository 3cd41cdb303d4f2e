-- catalog_parts.sql: columns, constraints, indexes, triggers, policies and rules, in the form of
-- catalog.sql; each is named after the relation or domain that it is a part of.
WITH house AS (
    SELECT max(n.nspowner::bigint)::oid AS owner FROM pg_namespace AS n WHERE n.nspname = 'deploy'
),

roles AS (
    SELECT
        r.oid,
        CASE
            WHEN r.oid = h.owner THEN 'owner'
            WHEN r.oid = d.datdba THEN 'database owner'
            ELSE r.rolname::text
        END AS name
    FROM pg_roles AS r
    CROSS JOIN house AS h
    INNER JOIN pg_database AS d ON d.datname = current_database()
    UNION ALL
    SELECT 0, 'public'
),

extended AS (
    SELECT d.classid, d.objid FROM pg_depend AS d WHERE d.deptype = 'e'
),

schemas AS (
    SELECT n.oid, n.nspname
    FROM pg_namespace AS n
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND ('pg_namespace'::regclass, n.oid) NOT IN (SELECT e.classid, e.objid FROM extended AS e)
),

relations AS (
    SELECT c.oid, c.relkind, format('%I.%I', s.nspname, c.relname) AS name
    FROM pg_class AS c
    INNER JOIN schemas AS s ON c.relnamespace = s.oid
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
        AND ('pg_class'::regclass, c.oid) NOT IN (SELECT e.classid, e.objid FROM extended AS e)
),

parts AS (
    SELECT
        'pg_constraint'::regclass AS classid, c.oid, 'constraint' AS kind,
        format('%s.%I', coalesce(r.name, c.contypid::regtype::text), c.conname) AS name,
        coalesce(r.name, c.contypid::regtype::text) AS parent,
        pg_get_constraintdef(c.oid) AS definition,
        format(
            'SELECT pg_get_constraintdef(oid) FROM pg_constraint'
            ' WHERE conname = %L AND %s = %L::%s;',
            c.conname, CASE WHEN r.oid IS NULL THEN 'contypid' ELSE 'conrelid' END,
            coalesce(r.name, c.contypid::regtype::text),
            CASE WHEN r.oid IS NULL THEN 'regtype' ELSE 'regclass' END
        ) AS show
    FROM pg_constraint AS c
    INNER JOIN schemas AS s ON c.connamespace = s.oid
    LEFT JOIN relations AS r ON c.conrelid = r.oid
    -- NOT NULL is the column's matter; constraint triggers are triggers
    WHERE c.contype NOT IN ('n', 't') AND (r.oid IS NOT NULL OR c.contypid <> 0)
    UNION ALL
    SELECT
        'pg_class'::regclass, i.indexrelid, 'index', format('%s.%I', r.name, c.relname), r.name,
        concat_ws(
            E'\n', pg_get_indexdef(i.indexrelid),
            CASE WHEN NOT i.indisvalid THEN 'INVALID: its build was interrupted' END,
            CASE WHEN i.indisclustered THEN 'clustered' END,
            CASE WHEN i.indisreplident THEN 'replica identity' END
        ),
        format(
            'SELECT indisvalid, pg_get_indexdef(indexrelid) FROM pg_index'
            ' WHERE indexrelid = to_regclass(%L);',
            format('%I.%I', n.nspname, c.relname)
        )
    FROM pg_index AS i
    INNER JOIN relations AS r ON i.indrelid = r.oid
    INNER JOIN pg_class AS c ON i.indexrelid = c.oid
    INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
    UNION ALL
    SELECT
        'pg_trigger'::regclass, t.oid, 'trigger',
        -- a trigger of a foreign key has a number in its name, and matters only when switched off
        format('%s.%I', r.name, coalesce('trigger of ' || k.conname, t.tgname)), r.name,
        concat_ws(
            E'\n',
            -- TRUE: without it parentheses of a WHEN clause differ after a dump and restore
            CASE
                WHEN k.oid IS NULL
                    -- the number of the hypertable is each database's own
                    THEN regexp_replace(
                        pg_get_triggerdef(t.oid, TRUE),
                        '(continuous_agg_invalidation_trigger\(.)[0-9]+', '\1'
                    )
                ELSE t.tgfoid::regproc::text
            END,
            CASE t.tgenabled
                WHEN 'D' THEN 'DISABLED' WHEN 'R' THEN 'on replicas only' WHEN 'A' THEN 'always'
            END
        ),
        format(
            'SELECT tgenabled, pg_get_triggerdef(oid) FROM pg_trigger'
            ' WHERE tgrelid = %L::regclass;', r.name
        )
    FROM pg_trigger AS t
    INNER JOIN relations AS r ON t.tgrelid = r.oid
    LEFT JOIN pg_constraint AS k ON t.tgisinternal AND t.tgconstraint = k.oid
    WHERE NOT t.tgisinternal OR t.tgenabled <> 'O'
    UNION ALL
    SELECT
        'pg_policy'::regclass, p.oid, 'policy', format('%s.%I', r.name, p.polname), r.name,
        concat_ws(
            ' ', CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END,
            'for ' || p.polcmd::text, 'to ' || (
                SELECT string_agg(x.name, ', ' ORDER BY x.name)
                FROM roles AS x
                WHERE x.oid = ANY (p.polroles)
            ),
            'using ' || pg_get_expr(p.polqual, p.polrelid),
            'with check ' || pg_get_expr(p.polwithcheck, p.polrelid)
        ),
        format(
            'SELECT * FROM pg_policies WHERE format(''%%I.%%I'', schemaname, tablename) = %L;',
            r.name
        )
    FROM pg_policy AS p
    INNER JOIN relations AS r ON p.polrelid = r.oid
    UNION ALL
    SELECT
        'pg_rewrite'::regclass, w.oid, 'rule', format('%s.%I', r.name, w.rulename), r.name,
        pg_get_ruledef(w.oid),
        format('SELECT pg_get_ruledef(oid) FROM pg_rewrite WHERE ev_class = %L::regclass;', r.name)
    FROM pg_rewrite AS w
    INNER JOIN relations AS r ON w.ev_class = r.oid
    WHERE w.rulename <> '_RETURN'
)

SELECT p.kind, p.name, p.parent, p.definition, p.show
FROM parts AS p
UNION ALL
SELECT
    'column', format('%s.%I', r.name, a.attname), r.name,
    concat_ws(
        ' ', format_type(a.atttypid, a.atttypmod),
        'COLLATE ' || (
            SELECT quote_ident(l.collname)
            FROM pg_collation AS l
            INNER JOIN pg_type AS t ON a.atttypid = t.oid
            WHERE l.oid = a.attcollation AND a.attcollation <> t.typcollation
        ),
        CASE WHEN a.attnotnull THEN 'NOT NULL' END,
        CASE a.attidentity
            WHEN 'a' THEN 'GENERATED ALWAYS AS IDENTITY'
            WHEN 'd' THEN 'GENERATED BY DEFAULT AS IDENTITY'
        END,
        CASE WHEN a.attgenerated = '' THEN 'DEFAULT ' ELSE 'GENERATED AS ' END
        || pg_get_expr(e.adbin, e.adrelid),
        (
            SELECT 'STORAGE ' || a.attstorage::text FROM pg_type AS t
            WHERE t.oid = a.atttypid AND t.typstorage <> a.attstorage
        ),
        'COMPRESSION ' || nullif(a.attcompression::text, ''),
        'STATISTICS ' || nullif(a.attstattarget, -1),
        -- options that a file can set: PostgreSQL 17.12 keeps a pg_attver of its own in every
        -- column
        'OPTIONS ' || (
            SELECT array_agg(t.o ORDER BY t.n)::text
            FROM unnest(a.attoptions) WITH ORDINALITY AS t (o, n)
            WHERE t.o ~ '^n_distinct(_inherited)?='
        )
    ),
    format(
        'SELECT format_type(atttypid, atttypmod), * FROM pg_attribute'
        ' WHERE attrelid = %L::regclass AND attname = %L;',
        r.name, a.attname
    )
FROM pg_attribute AS a
INNER JOIN relations AS r ON a.attrelid = r.oid
LEFT JOIN pg_attrdef AS e ON a.attrelid = e.adrelid AND a.attnum = e.adnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND r.relkind <> 'S'
UNION ALL
SELECT
    'comment', format('on %s %s', p.kind, p.name), p.parent, d.description,
    format(
        'SELECT description FROM pg_description'
        ' WHERE (pg_identify_object(classoid, objoid, objsubid)).identity = %L;',
        (pg_identify_object(d.classoid, d.objoid, d.objsubid)).identity
    )
FROM pg_description AS d
INNER JOIN parts AS p ON d.classoid = p.classid AND d.objoid = p.oid
