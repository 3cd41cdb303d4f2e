-- 3881_data_health.sql: the checks of what is stored: its size, its age, its proofs.

CALL deploy.become_owner();

CREATE OR REPLACE VIEW monitoring.data_health
WITH (security_invoker = TRUE) AS
SELECT
    'database_size' AS name,
    d.bytes AS value,
    d.size AS detail
FROM monitoring.database_size AS d
UNION ALL
SELECT
    'chunk_count' AS name,
    coalesce(max(h.chunks), 0) AS value,
    coalesce((array_agg(h.table_name ORDER BY h.chunks DESC))[1]::text, 'none') AS detail
FROM monitoring.hypertables AS h
UNION ALL
SELECT
    'chunk_memory' AS name,
    coalesce(sum(h.percent_of_cache), 0) AS value,
    format('indexes of the chunks being written: %s', pg_size_pretty(sum(h.index_bytes)))
        AS detail
FROM monitoring.hypertables AS h
UNION ALL
-- a hypertable without any chunk waits for its first row
SELECT
    'chunks_ahead' AS name,
    coalesce(round(date_part('epoch', min(h.ahead))::numeric / 3600, 1), 9999) AS value,
    coalesce(
        (array_agg(format('%s until %s', h.table_name, h.last_end) ORDER BY h.last_end))[1],
        'nothing stored yet'
    ) AS detail
FROM monitoring.hypertables AS h
WHERE h.chunks > 0
UNION ALL
SELECT
    'policies' AS name,
    coalesce(round(date_part('epoch', max(p.overdue))::numeric / 3600, 1), 0) AS value,
    coalesce(
        (array_agg(
            p.policy || ' of ' || p.table_name || coalesce(', last ' || p.last_success, ', never')
            || coalesce(': ' || CASE WHEN p.overdue > '0' THEN p.last_error END, '')
            ORDER BY p.overdue DESC
        ))[1],
        'none'
    ) AS detail
FROM monitoring.policies AS p
UNION ALL
SELECT
    'lifecycle' AS name,
    coalesce(round(date_part('epoch', now() - min(s.due_since))::numeric / 3600, 1), 0) AS value,
    coalesce(
        (array_agg(
            format('%s: %s, due since %s', s.relation, s.step, s.due_since) ORDER BY s.due_since
        ))[1],
        'nothing is due'
    ) AS detail
FROM (
    SELECT
        e.relation,
        e.step,
        e.due_since
    FROM monitoring.lifecycle_steps() AS e
    UNION ALL
    -- made by hand, with the Timescale licence
    SELECT
        l.relation,
        'remove_retention_policy(), as it asks for no copy and no hold' AS step,
        l.began_at AS due_since
    FROM monitoring.lifecycle AS l
    INNER JOIN timescaledb_information.jobs AS j
        ON l.relation = format('%s.%s', j.hypertable_schema, j.hypertable_name)
    WHERE j.proc_name = 'policy_retention'
) AS s
UNION ALL
-- the disk itself can't be seen in SQL: database_size states its size
SELECT
    'disk_full' AS name,
    CASE
        WHEN g.bytes_a_day > 0 AND t.critical IS NOT NULL
            THEN least(greatest(round((t.critical - g.bytes) / g.bytes_a_day, 1), 0), 9999)
        ELSE 9999
    END AS value,
    CASE
        WHEN t.critical IS NULL THEN 'unknown: database_size has no critical size'
        WHEN g.bytes_a_day IS NULL THEN 'unknown until there are readings of a week'
        ELSE format(
            '%s a day, %s of %s', pg_size_pretty(round(g.bytes_a_day)), pg_size_pretty(g.bytes),
            pg_size_pretty(t.critical)
        )
    END AS detail
FROM monitoring.thresholds AS t
LEFT JOIN monitoring.growth AS g ON g.relation = 'database'
WHERE t.name = 'database_size'
UNION ALL
SELECT
    'backup_age' AS name,
    round(date_part('epoch', min(b.age))::numeric / 3600, 1) AS value,
    coalesce('last ' || max(b.last_success), 'none yet')
    || coalesce(', ' || nullif(min(b.failures_since), 0) || ' failed since', '') AS detail
FROM monitoring.backups AS b
WHERE b.kind IN ('backup', 'physical')
UNION ALL
-- a role's own schema stops the dump; chunks have the rights of their hypertable
SELECT
    'backup_rights' AS name,
    count(*) AS value,
    coalesce(
        'may not read ' || string_agg(
            DISTINCT format('schema %s of %s', n.nspname, pg_get_userbyid(c.relowner)), ', '
        ),
        'rubi_backup reads every table'
    ) AS detail
FROM pg_catalog.pg_roles AS r
INNER JOIN pg_catalog.pg_class AS c
    ON c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't'
INNER JOIN pg_catalog.pg_namespace AS n
    ON c.relnamespace = n.oid AND n.nspname !~ '^(pg_|_timescaledb_|information_schema$)'
WHERE
    r.rolname = 'rubi_backup'
    AND NOT (
        has_schema_privilege(r.oid, n.oid, 'USAGE') AND has_table_privilege(r.oid, c.oid, 'SELECT')
    )
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    )
UNION ALL
SELECT
    'drill_age' AS name,
    round(date_part('epoch', b.age)::numeric / 3600, 1) AS value,
    coalesce('last ' || b.last_success, 'none yet')
    || coalesce(', ' || nullif(b.failures_since, 0) || ' failed since', '') AS detail
FROM monitoring.backups AS b
WHERE b.kind = 'drill'
UNION ALL
SELECT
    k.name,
    coalesce(round(date_part('epoch', max(i.overdue))::numeric), 0) AS value,
    coalesce(
        (
            array_agg(
                i.source || coalesce(', last ' || i.last_at, ', none') ORDER BY i.overdue DESC
            )
        )[1],
        'no live source'
    ) AS detail
FROM (
    VALUES ('market_lag', ARRAY['bar', 'tick']), ('snapshot_lag', ARRAY['snapshot']),
    ('ping_lag', ARRAY['ping'])
) AS k (name, kinds)
LEFT JOIN monitoring.ingest_lag AS i ON i.kind = any(k.kinds)
WHERE i.source IS NULL OR i.overdue IS NOT NULL
GROUP BY k.name
UNION ALL
SELECT
    'claims_in_doubt' AS name,
    max(c.claims) FILTER (WHERE c.kind = 'in doubt') AS value,
    coalesce(
        'the first since ' || max(c.oldest_end) FILTER (WHERE c.kind = 'in doubt'), 'none'
    ) AS detail
FROM monitoring.signal_claims AS c
UNION ALL
SELECT
    'claims_not_taken_up' AS name,
    coalesce(round(date_part('epoch', now() - min(c.oldest_end))::numeric), 0) AS value,
    format('%s claims', coalesce(sum(c.claims), 0)) AS detail
FROM monitoring.signal_claims AS c
WHERE c.kind = 'not taken up'
UNION ALL
SELECT
    'performance_failures' AS name,
    count(*) AS value,
    coalesce(
        (array_agg(
            format(
                'user %s, strategy %s: %s', f.user_id, coalesce(f.strategy_id::text, 'all'),
                f.message
            )
            ORDER BY f.failed_at DESC, f.user_id ASC, f.strategy_id ASC
        ))[1],
        'none'
    ) AS detail
FROM monitoring.performance_failures AS f
UNION ALL
SELECT
    'proofs' AS name,
    sum(p.violations) AS value,
    CASE
        WHEN count(*) = 0 THEN 'not looked at yet'
        ELSE coalesce(
            string_agg(format('%s: %s', p.name, p.violations), ', ' ORDER BY p.name)
            FILTER (WHERE p.violations > 0),
            'all hold'
        )
    END AS detail
FROM monitoring.latest_proofs AS p
UNION ALL
SELECT
    'proof_age' AS name,
    round(date_part('epoch', now() - min(p.taken_at))::numeric / 3600, 1) AS value,
    coalesce('last ' || min(p.taken_at), 'not looked at yet') AS detail
FROM monitoring.latest_proofs AS p
UNION ALL
SELECT
    'vanished_days' AS name,
    count(*) AS value,
    coalesce(
        string_agg(DISTINCT v.relation, ', ') || ' from ' || min(v.day) || ' to ' || max(v.day),
        'all there'
    ) AS detail
FROM monitoring.vanished_days AS v
UNION ALL
-- without a rule, ingest takes New York time + 7 hours
SELECT
    'server_clocks' AS name,
    count(*) FILTER (WHERE s.minutes IS DISTINCT FROM s.rule_minutes) AS value,
    coalesce(
        string_agg(
            format(
                '%s is %s minutes ahead of UTC, %s', s.server, s.minutes,
                coalesce(format('%s says %s', s.clock, s.rule_minutes), 'no rule')
            ),
            '; ' ORDER BY s.server
        ) FILTER (WHERE s.minutes IS DISTINCT FROM s.rule_minutes),
        count(*) || ' as their rules say'
    ) AS detail
FROM monitoring.server_clocks AS s;

COMMENT ON VIEW monitoring.data_health IS
'The checks of monitoring.health that are about what is stored.';
COMMENT ON COLUMN monitoring.data_health.name IS 'Check.';
COMMENT ON COLUMN monitoring.data_health.value IS
'Worst value now, in the unit of monitoring.thresholds; NULL when unknown.';
COMMENT ON COLUMN monitoring.data_health.detail IS
'Place of the value, or the reason why it is unknown.';
