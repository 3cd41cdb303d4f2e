-- 3890_monitoring_health.sql: one row a check: ok, warning, critical or unknown, and the cure.

CALL deploy.become_owner();

-- A value of NULL is unknown: the reader lacks a right, or no reading exists yet. detail has the
-- reason.
CREATE OR REPLACE VIEW monitoring.health_values
WITH (security_invoker = TRUE) AS
SELECT
    'connections' AS name,
    c.percent::numeric AS value,
    format('%s of %s in use', c.used, c.usable) AS detail
FROM monitoring.connection_usage AS c
UNION ALL
SELECT
    'blocked_sessions' AS name,
    coalesce(round(date_part('epoch', max(b.waited))::numeric, 1), 0) AS value,
    format(
        '%s waiting%s', count(DISTINCT b.pid),
        coalesce(' for pid ' || string_agg(DISTINCT b.root_pid::text, ', '), '')
    ) AS detail
FROM monitoring.blocking AS b
WHERE b.depth > 0
UNION ALL
SELECT
    'idle_transactions' AS name,
    CASE
        WHEN monitoring.can_see_all()
            THEN coalesce(round(date_part('epoch', max(t.state_age))::numeric, 1), 0)
    END AS value,
    CASE
        WHEN NOT monitoring.can_see_all() THEN 'not visible without pg_monitor'
        ELSE format('%s sessions', count(*))
    END AS detail
FROM monitoring.long_transactions AS t
WHERE t.state LIKE 'idle in transaction%'
UNION ALL
SELECT
    'long_transactions' AS name,
    CASE
        WHEN monitoring.can_see_all()
            THEN coalesce(round(date_part('epoch', max(t.transaction_age))::numeric, 1), 0)
    END AS value,
    CASE
        WHEN NOT monitoring.can_see_all() THEN 'not visible without pg_monitor'
        ELSE format('%s open', count(*))
    END AS detail
FROM monitoring.long_transactions AS t
UNION ALL
SELECT
    'slow_statements' AS name,
    CASE
        WHEN NOT bool_or(s.calls IS NULL)
            THEN round(coalesce(max(s.mean_ms) FILTER (WHERE s.calls >= 5), 0)::numeric, 1)
        WHEN count(*) = 0 THEN 0
    END AS value,
    coalesce(
        max(s.query) FILTER (WHERE s.calls IS NULL),
        left(
            regexp_replace(
                (array_agg(s.query ORDER BY s.mean_ms DESC) FILTER (WHERE s.calls >= 5))[1],
                '[ \t\r\n]+', ' ', 'g'
            ), 60
        ),
        'nothing ran five times'
    ) AS detail
FROM monitoring.slow_statements AS s
UNION ALL
SELECT
    'unused_indexes' AS name,
    coalesce(sum(i.bytes), 0) AS value,
    format('%s indexes without a scan', count(*)) AS detail
FROM monitoring.unused_indexes AS i
UNION ALL
SELECT
    'duplicate_indexes' AS name,
    count(*) AS value,
    coalesce(string_agg(i.index_name, ', ' ORDER BY i.index_name), 'none') AS detail
FROM monitoring.duplicate_indexes AS i
UNION ALL
SELECT
    'invalid_indexes' AS name,
    count(*) AS value,
    coalesce(string_agg(i.index_name, ', ' ORDER BY i.index_name), 'none') AS detail
FROM monitoring.invalid_indexes AS i
UNION ALL
-- reading a small table as a whole costs nothing
SELECT
    'missing_indexes' AS name,
    count(*) AS value,
    coalesce(string_agg(k.constraint_name, ', ' ORDER BY k.constraint_name), 'none') AS detail
FROM monitoring.foreign_keys_without_index AS k
WHERE k.bytes >= 1048576
UNION ALL
SELECT
    'cache_hits' AS name,
    CASE WHEN c.hits + c.reads >= 10000 THEN c.percent ELSE 100 END AS value,
    CASE
        WHEN c.hits + c.reads >= 10000 THEN format('%s blocks read', c.reads)
        ELSE 'fewer than 10000 blocks so far: too few to judge'
    END AS detail
FROM monitoring.cache_hits AS c
WHERE c.relation = 'database'
UNION ALL
SELECT
    'bloat' AS name,
    coalesce(max(b.percent), 0) AS value,
    coalesce(
        (array_agg(
            b.table_name || ' wastes ' || pg_size_pretty(b.wasted_bytes)
            ORDER BY b.percent DESC
        ))[1],
        'no table over 10 MB'
    ) AS detail
FROM monitoring.bloat AS b
WHERE b.bytes >= 10485760
UNION ALL
SELECT
    'dead_rows' AS name,
    coalesce(max(d.ratio), 0) AS value,
    coalesce(
        (array_agg(format('%s has %s', d.relation, d.dead_rows) ORDER BY d.ratio DESC))[1],
        'no table with 1000'
    ) AS detail
FROM monitoring.dead_rows AS d
WHERE d.dead_rows >= 1000
UNION ALL
SELECT
    'wraparound' AS name,
    max(greatest(w.transactions, w.multixacts)) AS value,
    format(
        'oldest is %s',
        (array_agg(w.database ORDER BY greatest(w.transactions, w.multixacts) DESC))[1]
    ) AS detail
FROM monitoring.wraparound AS w
UNION ALL
SELECT
    'sequences' AS name,
    coalesce(max(s.percent), 0) AS value,
    coalesce((array_agg(s.sequence_name ORDER BY s.percent DESC))[1]::text, 'none') AS detail
FROM monitoring.sequences AS s
UNION ALL
SELECT
    s.name,
    s.value,
    s.detail
FROM monitoring.server_health AS s
UNION ALL
SELECT
    d.name,
    d.value,
    d.detail
FROM monitoring.data_health AS d
UNION ALL
SELECT
    'known_holes' AS name,
    count(DISTINCT o.hole) AS value,
    coalesce(string_agg(DISTINCT o.hole, '; '), 'none is open') AS detail
FROM monitoring.open_rights AS o;

COMMENT ON VIEW monitoring.health_values IS
'Values that monitoring.health compares with its thresholds.';
COMMENT ON COLUMN monitoring.health_values.name IS 'Check.';
COMMENT ON COLUMN monitoring.health_values.value IS
'Worst value now, in the unit of monitoring.thresholds; NULL when unknown.';
COMMENT ON COLUMN monitoring.health_values.detail IS
'Place of the value, or the reason why it is unknown.';

CREATE OR REPLACE VIEW monitoring.health
WITH (security_invoker = TRUE) AS
SELECT
    v.name,
    CASE
        WHEN v.value IS NULL OR t.name IS NULL THEN 'unknown'
        WHEN t.worse = 'above' AND v.value >= t.critical THEN 'critical'
        WHEN t.worse = 'below' AND v.value <= t.critical THEN 'critical'
        WHEN t.worse = 'above' AND v.value >= t.warning THEN 'warning'
        WHEN t.worse = 'below' AND v.value <= t.warning THEN 'warning'
        ELSE 'ok'
    END AS status,
    v.value,
    t.unit,
    t.warning,
    t.critical,
    v.detail,
    t.meaning,
    t.action
FROM monitoring.health_values AS v
LEFT JOIN monitoring.thresholds AS t ON v.name = t.name;

COMMENT ON VIEW monitoring.health IS
'One row a check, with its status and the cure. Thresholds are in monitoring.thresholds.';
COMMENT ON COLUMN monitoring.health.name IS 'Check.';
COMMENT ON COLUMN monitoring.health.status IS
'ok, warning, critical, or unknown with the reason in detail.';
COMMENT ON COLUMN monitoring.health.value IS 'Worst value now, in unit.';
COMMENT ON COLUMN monitoring.health.unit IS 'Unit of value, warning and critical.';
COMMENT ON COLUMN monitoring.health.warning IS 'Value at which a warning begins.';
COMMENT ON COLUMN monitoring.health.critical IS 'Value at which the critical range begins.';
COMMENT ON COLUMN monitoring.health.detail IS
'Place of the value, or the reason why it is unknown.';
COMMENT ON COLUMN monitoring.health.meaning IS 'Meaning of the value.';
COMMENT ON COLUMN monitoring.health.action IS 'Advice when the status is bad.';
