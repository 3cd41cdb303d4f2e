-- catalog.sql: the objects that the files create in a database with their owners, rights and
-- comments, a row for each: its kind, its name, the object that it belongs to, its definition, and
-- the statement that shows it. Objects of extensions are left out; catalog_parts.sql has the parts
-- of objects. The owner of the schema deploy is called owner: where a provider owns public, the
-- deploying role owns it.
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
    SELECT n.oid, n.nspname, n.nspowner, n.nspacl
    FROM pg_namespace AS n
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND ('pg_namespace'::regclass, n.oid) NOT IN (SELECT e.classid, e.objid FROM extended AS e)
),

relations AS (
    SELECT
        c.oid, c.relkind, c.relowner, c.relacl, c.relpersistence, c.reloptions, c.relreplident,
        c.relrowsecurity, c.relforcerowsecurity, c.relispartition, c.relpartbound, c.reltablespace,
        format('%I.%I', s.nspname, c.relname) AS name
    FROM pg_class AS c
    INNER JOIN schemas AS s ON c.relnamespace = s.oid
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
        AND ('pg_class'::regclass, c.oid) NOT IN (SELECT e.classid, e.objid FROM extended AS e)
),

objects AS (
    SELECT
        'pg_namespace'::regclass AS classid, n.oid, 'schema' AS kind,
        format('%I', n.nspname) AS name, n.nspowner AS owner, n.nspacl AS acl,
        'n'::"char" AS acl_kind, NULL AS definition,
        format(
            'SELECT nspowner::regrole, nspacl FROM pg_namespace WHERE nspname = %L;', n.nspname
        ) AS show
    FROM schemas AS n
    UNION ALL
    SELECT
        'pg_class'::regclass, r.oid,
        CASE r.relkind
            WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence'
            WHEN 'f' THEN 'foreign table' WHEN 'c' THEN 'type' ELSE 'table'
        END,
        r.name, r.relowner, r.relacl,
        CASE r.relkind WHEN 'S' THEN 's' WHEN 'c' THEN 'T' ELSE 'r' END::"char",
        concat_ws(
            E'\n',
            CASE WHEN r.relpersistence <> 'p' THEN 'persistence: ' || r.relpersistence::text END,
            -- options that a file can set; a minor version may keep fields of its own here
            'options: ' || (
                SELECT string_agg(o, ', ' ORDER BY o)
                FROM unnest(r.reloptions) AS o
                WHERE o ~ ('^(fillfactor|parallel_workers|toast_tuple_target|user_catalog_table'
                    '|(log_)?autovacuum_\w+|vacuum_\w+|security_\w+|check_option)=')
            ),
            CASE WHEN r.relrowsecurity THEN 'row security' END,
            CASE WHEN r.relforcerowsecurity THEN 'row security forced' END,
            CASE
                WHEN r.relkind = 'r' AND r.relreplident <> 'd'
                    THEN 'replica identity: ' || r.relreplident::text
            END,
            'tablespace: ' || (
                SELECT t.spcname FROM pg_tablespace AS t WHERE t.oid = r.reltablespace
            ),
            'partition key: ' || pg_get_partkeydef(r.oid),
            'partition: ' || pg_get_expr(r.relpartbound, r.oid),
            'inherits: ' || (
                SELECT string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno)
                FROM pg_inherits AS i
                WHERE i.inhrelid = r.oid
            ),
            (
                SELECT format(
                    '%s from %s to %s by %s start %s cache %s%s%s', q.seqtypid::regtype, q.seqmin,
                    q.seqmax, q.seqincrement, q.seqstart, q.seqcache,
                    CASE WHEN q.seqcycle THEN ' cycle' END,
                    (
                        SELECT format(
                            ' of %s.%I', d.refobjid::regclass, (
                                SELECT a.attname FROM pg_attribute AS a
                                WHERE a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                            )
                        )
                        FROM pg_depend AS d
                        WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid
                            AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
                    )
                )
                FROM pg_sequence AS q
                WHERE q.seqrelid = r.oid
            ),
            CASE
                WHEN r.relkind IN ('v', 'm')
                    -- the table behind a continuous aggregate has a number of each database's own
                    THEN regexp_replace(
                        pg_get_viewdef(r.oid),
                        '(_materialized_hypertable_|cagg_watermark\()[0-9]+', '\1', 'g'
                    )
            END
        ),
        CASE
            WHEN r.relkind IN ('v', 'm') THEN format('SELECT pg_get_viewdef(%L::regclass);', r.name)
            WHEN r.relkind = 'S'
                THEN format('SELECT * FROM pg_sequence WHERE seqrelid = %L::regclass;', r.name)
            ELSE format('SELECT * FROM pg_class WHERE oid = to_regclass(%L);', r.name)
        END
    FROM relations AS r
    UNION ALL
    SELECT
        'pg_proc'::regclass, p.oid,
        CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
        format('%I.%I(%s)', s.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
        p.proowner, p.proacl, 'f'::"char",
        CASE
            WHEN p.prokind = 'a'
                THEN (
                    SELECT format('%s %s', a.aggtransfn, a.aggfinalfn)
                    FROM pg_aggregate AS a
                    WHERE a.aggfnoid = p.oid
                )
            ELSE pg_get_functiondef(p.oid)
        END,
        format(
            'SELECT pg_get_functiondef(%L::regprocedure);',
            format('%I.%I(%s)', s.nspname, p.proname, oidvectortypes(p.proargtypes))
        )
    FROM pg_proc AS p
    INNER JOIN schemas AS s ON p.pronamespace = s.oid
    WHERE ('pg_proc'::regclass, p.oid) NOT IN (SELECT e.classid, e.objid FROM extended AS e)
    UNION ALL
    SELECT
        'pg_type'::regclass, t.oid, 'type', format('%I.%I', s.nspname, t.typname), t.typowner,
        t.typacl, 'T'::"char",
        concat_ws(
            ' ',
            CASE t.typtype
                WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' ELSE 'range'
            END,
            (
                SELECT string_agg(quote_literal(l.enumlabel), ', ' ORDER BY l.enumsortorder)
                FROM pg_enum AS l
                WHERE l.enumtypid = t.oid
            ),
            CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END,
            CASE WHEN t.typnotnull THEN 'NOT NULL' END,
            'DEFAULT ' || t.typdefault
        ),
        CASE
            WHEN t.typtype = 'e'
                THEN format('SELECT enum_range(NULL::%I.%I);', s.nspname, t.typname)
            ELSE format(
                'SELECT * FROM pg_type WHERE oid = to_regtype(%L);',
                format('%I.%I', s.nspname, t.typname)
            )
        END
    FROM pg_type AS t
    INNER JOIN schemas AS s ON t.typnamespace = s.oid
    WHERE t.typtype IN ('e', 'd', 'r')
        AND ('pg_type'::regclass, t.oid) NOT IN (SELECT e.classid, e.objid FROM extended AS e)
    UNION ALL
    SELECT
        'pg_statistic_ext'::regclass, x.oid, 'statistics', format('%I.%I', s.nspname, x.stxname),
        x.stxowner, NULL, NULL, pg_get_statisticsobjdef(x.oid),
        format(
            'SELECT pg_get_statisticsobjdef(oid) FROM pg_statistic_ext WHERE stxname = %L;',
            x.stxname
        )
    FROM pg_statistic_ext AS x
    INNER JOIN schemas AS s ON x.stxnamespace = s.oid
    UNION ALL
    SELECT
        'pg_event_trigger'::regclass, t.oid, 'event trigger', format('%I', t.evtname),
        t.evtowner, NULL, NULL,
        format('%s %s %s %s', t.evtevent, t.evtfoid::regproc, t.evtenabled, t.evttags),
        format('SELECT * FROM pg_event_trigger WHERE evtname = %L;', t.evtname)
    FROM pg_event_trigger AS t
    WHERE ('pg_event_trigger'::regclass, t.oid) NOT IN (
            SELECT e.classid, e.objid FROM extended AS e
        )
    UNION ALL
    SELECT
        'pg_database'::regclass, d.oid, 'database', '', d.datdba, d.datacl, 'd'::"char", NULL,
        'SELECT datacl FROM pg_database WHERE datname = current_database();'
    FROM pg_database AS d
    WHERE d.datname = current_database()
),

rights AS (
    SELECT
        o.kind, o.name, o.owner, coalesce(o.acl, acldefault(o.acl_kind, o.owner)) AS acl,
        (
            SELECT count(*) FROM aclexplode(acldefault(o.acl_kind, o.owner)) AS a
            WHERE a.grantee = o.owner
        ) AS usual,
        o.show
    FROM objects AS o
    WHERE o.acl_kind IS NOT NULL
    UNION ALL
    SELECT
        'column', format('%s.%I', r.name, a.attname), r.relowner, a.attacl, NULL,
        format(
            'SELECT attacl FROM pg_attribute WHERE attrelid = %L::regclass AND attname = %L;',
            r.name, a.attname
        )
    FROM pg_attribute AS a
    INNER JOIN relations AS r ON a.attrelid = r.oid
    WHERE a.attacl IS NOT NULL AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT
        'default of ' || CASE d.defaclobjtype
            WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions'
            WHEN 'T' THEN 'types' ELSE 'schemas'
        END,
        format('made by %s in %s', x.name, coalesce(s.nspname, 'every schema')), d.defaclrole,
        d.defaclacl, NULL, 'SELECT * FROM pg_default_acl;'
    FROM pg_default_acl AS d
    INNER JOIN roles AS x ON d.defaclrole = x.oid
    LEFT JOIN pg_namespace AS s ON d.defaclnamespace = s.oid
),

items AS (
    SELECT
        o.kind, o.name, '' AS parent,
        concat_ws(E'\n', nullif(o.definition, ''), 'owner: ' || x.name) AS definition, o.show
    FROM objects AS o
    LEFT JOIN roles AS x ON o.owner = x.oid
    -- a provider may own the database and public
    WHERE o.kind <> 'database' AND NOT (o.kind = 'schema' AND o.name = 'public')
    UNION ALL
    SELECT
        CASE
            WHEN r.kind = 'database' THEN 'database grant'
            WHEN r.kind = 'schema' AND r.name = 'public' THEN 'public grant'
            ELSE 'grant'
        END,
        format('%s to %s', concat_ws(' ', r.kind, nullif(r.name, '')), x.name), r.name,
        CASE
            WHEN a.grantee = r.owner AND count(*) = r.usual THEN 'all'
            ELSE string_agg(
                a.privilege_type || CASE WHEN a.is_grantable THEN ' with grant option' ELSE '' END,
                ', ' ORDER BY a.privilege_type, a.is_grantable
            )
        END,
        r.show
    FROM rights AS r
    CROSS JOIN aclexplode(r.acl) AS a
    INNER JOIN roles AS x ON a.grantee = x.oid
    GROUP BY r.kind, r.name, x.name, r.show, a.grantee, r.owner, r.usual
    UNION ALL
    SELECT
        'comment',
        CASE
            WHEN a.attnum IS NULL THEN format('on %s %s', o.kind, o.name)
            ELSE format('on column %s.%I', o.name, a.attname)
        END,
        o.name, d.description,
        format(
            'SELECT description FROM pg_description'
            ' WHERE (pg_identify_object(classoid, objoid, objsubid)).identity = %L;',
            (pg_identify_object(d.classoid, d.objoid, d.objsubid)).identity
        )
    FROM pg_description AS d
    INNER JOIN objects AS o ON d.classoid = o.classid AND d.objoid = o.oid
    LEFT JOIN pg_attribute AS a
        ON d.objsubid > 0 AND d.objoid = a.attrelid AND d.objsubid = a.attnum
    WHERE NOT (o.kind = 'schema' AND o.name = 'public')
)

SELECT i.kind, i.name, i.parent, i.definition, i.show
FROM items AS i
