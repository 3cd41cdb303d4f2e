-- 3820_vanished_days.sql: days of history that vanished without a known reason.

CALL deploy.become_owner();

-- A day counts as gone when a reading found no row of the day, or when no chunk for the day is
-- left, which takes no reading. A range that was dropped a little before the last reading may have
-- been committed after it.
CREATE OR REPLACE VIEW monitoring.absent_days
WITH (security_invoker = TRUE) AS
WITH covered AS MATERIALIZED (
    SELECT
        format('%I.%I', c.hypertable_schema, c.hypertable_name) AS relation,
        range_agg(tstzrange(c.range_start, c.range_end)) AS ranges
    FROM timescaledb_information.chunks AS c
    GROUP BY 1
),

days AS (
    SELECT
        d.relation,
        d.day,
        d.row_count,
        d.read_at,
        d.gone_at,
        tstzrange(
            d.day::timestamp AT TIME ZONE 'UTC', (d.day + 1)::timestamp AT TIME ZONE 'UTC'
        ) AS span
    FROM monitoring.day_readings AS d
),

policies AS MATERIALIZED (
    SELECT
        format('%I.%I', j.hypertable_schema, j.hypertable_name) AS relation,
        (j.config ->> 'drop_after')::interval AS keep_for
    FROM timescaledb_information.jobs AS j
    WHERE j.proc_name = 'policy_retention'
)

SELECT
    d.relation,
    d.day,
    d.row_count,
    d.read_at,
    d.gone_at,
    EXISTS (
        SELECT FROM monitoring.dropped_ranges AS r
        WHERE
            r.relation = d.relation
            AND tstzrange(r.range_start, r.range_end) && d.span
            AND r.dropped_at >= d.read_at - interval '10 minutes'
    ) OR EXISTS (
        SELECT FROM policies AS p
        WHERE p.relation = d.relation AND upper(d.span) <= now() - p.keep_for
    ) AS dropped
FROM days AS d
LEFT JOIN covered AS c ON d.relation = c.relation
WHERE d.gone_at IS NOT NULL OR c.ranges IS NULL OR NOT c.ranges && d.span;

COMMENT ON VIEW monitoring.absent_days IS
'Days of which a hypertable had rows and has none, and whether a known drop explains them.';
COMMENT ON COLUMN monitoring.absent_days.relation IS 'Hypertable with its schema.';
COMMENT ON COLUMN monitoring.absent_days.day IS 'Day of the rows, UTC.';
COMMENT ON COLUMN monitoring.absent_days.row_count IS 'Number of rows there were.';
COMMENT ON COLUMN monitoring.absent_days.read_at IS 'Latest reading that found them, UTC.';
COMMENT ON COLUMN monitoring.absent_days.gone_at IS
'Reading that found none, UTC; NULL when the chunk vanished after the last reading.';
COMMENT ON COLUMN monitoring.absent_days.dropped IS
'TRUE when monitoring.dropped_ranges or a retention policy explains the loss.';

CREATE OR REPLACE VIEW monitoring.vanished_days
WITH (security_invoker = TRUE) AS
SELECT
    a.relation,
    a.day,
    a.row_count,
    a.read_at,
    a.gone_at
FROM monitoring.absent_days AS a
WHERE NOT a.dropped;

COMMENT ON VIEW monitoring.vanished_days IS
'Days of history that vanished without one of our procedures: somebody deleted them. No row when all
is there.';
COMMENT ON COLUMN monitoring.vanished_days.relation IS 'Hypertable with its schema.';
COMMENT ON COLUMN monitoring.vanished_days.day IS 'Day of the rows, UTC.';
COMMENT ON COLUMN monitoring.vanished_days.row_count IS 'Number of rows there were.';
COMMENT ON COLUMN monitoring.vanished_days.read_at IS 'Latest reading that found them, UTC.';
COMMENT ON COLUMN monitoring.vanished_days.gone_at IS
'Reading that found none, UTC; NULL when the chunk vanished after the last reading.';
