-- 3891_installation.sql: whether every object of the files is there, a row a point.

CALL deploy.become_owner();

-- The expected objects are read from the texts of the files as they were applied, so that a dropped
-- table is named, and no list is kept by hand. For the deploying role: the points look at tables
-- that rubi_monitor doesn't read. The state of the running database is in monitoring.health.
CREATE OR REPLACE VIEW monitoring.installation
WITH (security_invoker = TRUE) AS
WITH applied AS (
    SELECT DISTINCT ON (h.path)
        h.path,
        h.body
    FROM deploy.history AS h
    ORDER BY h.path ASC, h.id DESC
),

wanted AS (
    SELECT
        p.point,
        m.found[1] AS name
    FROM (
        VALUES
        ('tables', '^CREATE (?:UNLOGGED )?TABLE IF NOT EXISTS ([a-z0-9_.]+)'),
        ('indexes', '^CREATE (?:UNIQUE )?INDEX (?:CONCURRENTLY )?IF NOT EXISTS ([a-z0-9_]+)'),
        ('triggers', '^ *CREATE (?:OR REPLACE )?(?:CONSTRAINT )?TRIGGER ([a-z0-9_]+)'),
        ('views', '^CREATE (?:OR REPLACE )?VIEW ([a-z0-9_.]+)'),
        ('functions', '^CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE) ([a-z0-9_.]+)')
    ) AS p (point, pattern)
    CROSS JOIN applied AS a
    CROSS JOIN LATERAL regexp_matches(a.body, p.pattern, 'gn') AS m (found)
    WHERE
        NOT (
            -- columnstore refuses this trigger
            m.found[1] = 'market_data_50_deleted' AND monitoring.has_columnstore('market_data')
        ) AND NOT EXISTS (
            SELECT FROM applied AS d
            WHERE
                p.point = 'indexes'
                AND d.body ~ format('DROP INDEX IF EXISTS ([a-z0-9_]+\.)?%s\M', m.found[1])
        )
    UNION
    SELECT
        'extensions' AS point,
        e.name
    FROM (VALUES ('timescaledb'), ('pg_stat_statements'), ('uuid-ossp')) AS e (name)
    UNION
    SELECT
        'rights of rubi_app' AS point,
        format('%s on public.%s', r.privilege, t.name) AS name
    FROM (
        VALUES
        ('users'), ('trading_strategies'), ('mt5_sessions'), ('trading_signals'),
        ('trading_orders'), ('trading_positions'), ('account_snapshots'), ('market_data'),
        ('performance_metrics')
    ) AS t (name)
    CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) AS r (privilege)
    UNION
    SELECT
        'logins' AS point,
        format('LOGIN and CONNECT for %s (on a managed service by its API)', r.name) AS name
    FROM (
        VALUES ('rubi_app'), ('rubi_ingest'), ('rubi_readonly'), ('rubi_monitor'), ('rubi_backup')
    ) AS r (name)
    UNION
    SELECT
        'manual backups' AS point,
        format('SELECT on %s.%s for rubi_backup', t.schemaname, t.tablename) AS name
    FROM pg_tables AS t
    WHERE t.schemaname IN (
        'public', 'monitoring', 'internal', 'audit', 'deploy', 'migration'
    )
),

found AS (
    SELECT
        'tables' AS point,
        format('%s.%s', t.schemaname, t.tablename) AS name
    FROM pg_tables AS t
    UNION
    SELECT
        'indexes' AS point,
        c.relname AS name
    FROM pg_index AS i
    INNER JOIN pg_class AS c ON i.indexrelid = c.oid
    WHERE i.indisvalid
    UNION
    SELECT
        'triggers' AS point,
        t.tgname AS name
    FROM pg_trigger AS t
    WHERE t.tgenabled = 'O'
    UNION
    SELECT
        'views' AS point,
        format('%s.%s', v.schemaname, v.viewname) AS name
    FROM pg_views AS v
    UNION
    SELECT
        'functions' AS point,
        format('%s.%s', n.nspname, p.proname) AS name
    FROM pg_proc AS p
    INNER JOIN pg_namespace AS n ON p.pronamespace = n.oid
    UNION
    SELECT
        'extensions' AS point,
        e.extname AS name
    FROM pg_extension AS e
    UNION
    SELECT
        w.point,
        w.name
    FROM wanted AS w
    WHERE CASE w.point
        WHEN 'rights of rubi_app'
            THEN
                has_table_privilege(
                    to_regrole('rubi_app'),
                    to_regclass(split_part(w.name, ' on ', 2)),
                    split_part(w.name, ' ', 1)
                )
        WHEN 'logins'
            THEN
                EXISTS (
                    SELECT FROM pg_roles AS r
                    WHERE
                        r.rolname = split_part(w.name, ' ', 5)
                        AND r.rolcanlogin
                        AND has_database_privilege(r.oid, current_database(), 'CONNECT')
                )
        WHEN 'manual backups' THEN has_table_privilege(
            to_regrole('rubi_backup'), to_regclass(split_part(w.name, ' ', 3)), 'SELECT'
        )
    END
),

objects AS (
    SELECT
        w.point,
        count(*) AS wanted,
        string_agg(w.name, ', ' ORDER BY w.name) FILTER (WHERE f.name IS NULL) AS missing
    FROM wanted AS w
    LEFT JOIN found AS f ON w.point = f.point AND w.name = f.name
    GROUP BY w.point
),

points AS (
    SELECT
        1 AS place,
        'instance' AS point,
        TRUE AS is_well,
        format(
            'PostgreSQL %s, %s, this connection %s', current_setting('server_version'),
            pg_size_pretty(pg_database_size(current_database())),
            CASE
                WHEN EXISTS (
                    SELECT FROM pg_stat_ssl AS s
                    WHERE s.pid = pg_backend_pid() AND s.ssl
                ) THEN 'encrypted'
                ELSE 'not encrypted'
            END
        ) AS detail
    UNION ALL
    SELECT
        2 AS place,
        'automatic backups' AS point,
        CASE
            WHEN current_setting('archive_mode') = 'off' THEN NULL
            WHEN h.value > 0 THEN FALSE
            WHEN a.last_archived_time IS NOT NULL THEN TRUE
        END AS is_well,
        CASE
            WHEN current_setting('archive_mode') = 'off'
                THEN
                    'a managed service takes them (terraform/, its console); a server of yours has '
                    'none while archive_mode is off: docs/guides/self-hosted-backups.md'
            ELSE format('archive_mode is %s, %s', current_setting('archive_mode'), h.detail)
        END AS detail
    FROM monitoring.server_health AS h
    CROSS JOIN pg_stat_archiver AS a
    WHERE h.name = 'archiver_failures'
    UNION ALL
    SELECT
        CASE o.point
            WHEN 'extensions' THEN 3
            WHEN 'tables' THEN 4
            WHEN 'indexes' THEN 5
            WHEN 'triggers' THEN 6
            WHEN 'views' THEN 7
            WHEN 'functions' THEN 8
            WHEN 'rights of rubi_app' THEN 10
            WHEN 'logins' THEN 11
            ELSE 13
        END AS place,
        o.point,
        CASE
            WHEN o.missing IS NOT NULL OR NOT i.is_loaded THEN FALSE
            WHEN b.reason IS NULL THEN TRUE
        END AS is_well,
        CASE
            WHEN o.missing IS NOT NULL THEN format('missing: %s', o.missing)
            WHEN NOT i.is_loaded
                THEN 'timescaledb is not loaded: add it to shared_preload_libraries and restart'
            WHEN o.point = 'extensions'
                THEN
                    format(
                        'timescaledb %s (%s edition)%s',
                        e.extversion,
                        monitoring.timescaledb_edition(),
                        '; statements are ' || b.reason
                    )
            ELSE o.wanted::text
        END AS detail
    FROM objects AS o
    LEFT JOIN pg_extension AS e ON e.extname = 'timescaledb'
    -- its library defines the setting
    LEFT JOIN
        (VALUES (current_setting('timescaledb.license', TRUE) IS NOT NULL)) AS i (is_loaded)
        ON o.point = 'extensions'
    -- created, but not preloaded: its view answers with an error
    LEFT JOIN
        monitoring.blind_spots AS b
        ON o.point = 'extensions' AND b.subject = 'statements'
    UNION ALL
    SELECT
        9 AS place,
        'initial data' AS point,
        coalesce(u.is_superuser, FALSE) AND c.codes > 0 AS is_well,
        CASE
            WHEN u.is_superuser IS NOT TRUE THEN 'the administrator is missing'
            ELSE format(
                'administrator %s, %s deal types',
                CASE WHEN u.hashed_password LIKE '!%' THEN 'locked' ELSE 'has a password' END,
                c.codes
            )
        END AS detail
    FROM (SELECT count(*) AS codes FROM public.mt5_deal_types) AS c
    LEFT JOIN public.users AS u ON u.email = 'admin@rubi-studio.com'
    UNION ALL
    SELECT
        12 AS place,
        'rights of PUBLIC' AS point,
        CASE WHEN count(*) = 0 THEN TRUE END AS is_well,
        CASE
            WHEN count(*) = 0 THEN 'none beyond the needed ones'
            ELSE format(
                'every role may use %s objects that no role needs%s: have a superuser run '
                'grants/6020_extensions.sql, docs/guides/security.md has the words for the '
                'service''s support',
                count(*), ' (' || string_agg(DISTINCT r.hole, '; ') || ')'
            )
        END AS detail
    FROM monitoring.open_rights AS r
)

SELECT
    p.point,
    p.is_well,
    p.detail
FROM points AS p
ORDER BY p.place;

COMMENT ON VIEW monitoring.installation IS
'The checklist of an installation, in order: a row a point. For the deploying role.';
COMMENT ON COLUMN monitoring.installation.point IS 'Object of the check.';
COMMENT ON COLUMN monitoring.installation.is_well IS
'TRUE when all is there, FALSE when an object is missing, NULL for a task outside the database.';
COMMENT ON COLUMN monitoring.installation.detail IS
'Findings, or the missing objects and the cure.';
