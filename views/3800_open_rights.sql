-- 3800_open_rights.sql: rights of PUBLIC that grants/6020_extensions.sql takes back.

CALL deploy.become_owner();

-- The rule is that of grants/6020_extensions.sql, which a superuser runs and which therefore reads
-- no object of ours; a test compares the two.
CREATE OR REPLACE VIEW monitoring.open_rights
WITH (security_invoker = TRUE) AS
WITH members AS (
    SELECT
        d.classid,
        d.objid,
        e.extname,
        e.extversion,
        string_to_array(substring(e.extversion FROM '^[0-9.]+[0-9]'), '.')::integer[]
            AS version
    FROM pg_catalog.pg_depend AS d
    INNER JOIN pg_catalog.pg_extension AS e ON d.refobjid = e.oid
    WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
),

found AS (
    SELECT
        p.oid::regprocedure::text AS object,
        coalesce(p.proacl, acldefault('f', p.proowner)) AS acl,
        CASE
            WHEN
                m.version < '{2,29,1}' AND p.proname IN (
                    'drop_chunk', 'drop_osm_chunk', 'create_compressed_chunk', 'freeze_chunk',
                    'unfreeze_chunk', 'hypertable_osm_range_update',
                    'lock_osm_chunk_dimension_slice'
                )
                THEN
                    format(
                        'GHSA-hcfx-29v5-2rcw: timescaledb %s lets every role drop or freeze'
                        ' chunks of any table', m.extversion
                    )
            -- two chunks as arguments, and an edition whose error message has no text
            WHEN
                m.version < '{2,24}' AND p.proname = 'merge_chunks' AND p.pronargs = 2
                AND current_setting('timescaledb.license', TRUE) = 'apache'
                THEN
                    format(
                        'merge_chunks: timescaledb %s ends the server when it is called',
                        m.extversion
                    )
        END AS hole
    FROM pg_catalog.pg_proc AS p
    INNER JOIN members AS m
        ON
            p.oid = m.objid
            AND m.classid = 'pg_proc'::regclass
            AND m.extname IN ('timescaledb', 'pg_stat_statements')
    WHERE
        (m.extname = 'pg_stat_statements' AND p.proname <> 'pg_stat_statements_reset')
        OR (
            m.extname = 'timescaledb'
            AND p.prokind IN ('f', 'p')
            AND p.provolatile = 'v'
            AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
            AND p.proname !~ '(_size|_row_count|_stats|gapfill|^locf|^interpolate)$'
            -- TimescaleDB's views call this function as the reading role
            AND NOT EXISTS (
                SELECT FROM pg_catalog.pg_depend AS u
                WHERE
                    u.classid = 'pg_rewrite'::regclass
                    AND u.refclassid = 'pg_proc'::regclass
                    AND u.refobjid = p.oid
            )
        )
    UNION ALL
    SELECT
        p.oid::regprocedure::text AS object,
        coalesce(p.proacl, acldefault('f', p.proowner)) AS acl,
        NULL AS hole
    FROM pg_catalog.pg_proc AS p
    WHERE
        p.pronamespace = 'pg_catalog'::regnamespace
        AND (
            p.proname ~ '^(lo_|pg_(try_)?advisory_)'
            OR p.proname IN ('loread', 'lowrite', 'pg_logical_emit_message')
        )
        AND p.proname <> 'pg_advisory_unlock_all'
    UNION ALL
    SELECT
        c.oid::regclass::text AS object,
        coalesce(c.relacl, acldefault('r', c.relowner)) AS acl,
        NULL AS hole
    FROM pg_catalog.pg_class AS c
    INNER JOIN members AS m
        ON
            c.oid = m.objid
            AND m.classid = 'pg_class'::regclass
            AND m.extname = 'pg_stat_statements'
    WHERE c.relkind = 'v'
)

SELECT
    f.object,
    f.hole
FROM found AS f
WHERE EXISTS (
    SELECT FROM aclexplode(f.acl) AS a
    WHERE a.grantee = 0
);

COMMENT ON VIEW monitoring.open_rights IS
'Rights that extensions and PostgreSQL give every role and no role here needs. No row after a
superuser has run grants/6020_extensions.sql.';
COMMENT ON COLUMN monitoring.open_rights.object IS 'Function or view that PUBLIC may use.';
COMMENT ON COLUMN monitoring.open_rights.hole IS
'Known hole of this version; NULL when none is known.';
