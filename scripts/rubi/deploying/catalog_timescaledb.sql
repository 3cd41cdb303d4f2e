-- catalog_timescaledb.sql: TimescaleDB's facts about the hypertables, in the form of catalog.sql.
SELECT
    'hypertable' AS kind, format('%I.%I', h.hypertable_schema, h.hypertable_name) AS name,
    format('%I.%I', h.hypertable_schema, h.hypertable_name) AS parent,
    CASE WHEN h.compression_enabled THEN 'columnstore (Timescale licence)' ELSE 'rowstore' END
    || coalesce(' in ' || array_to_string(h.tablespaces, ', '), '') AS definition,
    format(
        'SELECT * FROM timescaledb_information.hypertables'
        ' WHERE hypertable_name = %L;', h.hypertable_name
    ) AS show
FROM timescaledb_information.hypertables AS h
WHERE h.hypertable_schema NOT LIKE '\_timescaledb\_%'
UNION ALL
SELECT
    'dimension', format('%I.%I.%I', d.hypertable_schema, d.hypertable_name, d.column_name),
    format('%I.%I', d.hypertable_schema, d.hypertable_name),
    concat_ws(
        ' ', d.dimension_type,
        'chunks of ' || coalesce(d.time_interval::text, d.integer_interval::text),
        'partitions ' || d.num_partitions, 'now by ' || d.integer_now_func
    ),
    format(
        'SELECT * FROM timescaledb_information.dimensions'
        ' WHERE hypertable_name = %L;', d.hypertable_name
    )
FROM timescaledb_information.dimensions AS d
WHERE d.hypertable_schema NOT LIKE '\_timescaledb\_%'
UNION ALL
SELECT
    'continuous aggregate', format('%I.%I', c.view_schema, c.view_name), '',
    concat_ws(' ', 'materialized only ' || c.materialized_only, c.view_definition),
    format(
        'SELECT * FROM timescaledb_information.continuous_aggregates'
        ' WHERE view_name = %L;', c.view_name
    )
FROM timescaledb_information.continuous_aggregates AS c
UNION ALL
SELECT
    'job',
    concat_ws(
        ' ', format('%I.%I', j.proc_schema, j.proc_name), coalesce(c.view_name, j.hypertable_name)
    ),
    '',
    format(
        -- numbers of hypertables are each database's own
        'every %s %s %s', j.schedule_interval,
        j.config - 'hypertable_id' - 'mat_hypertable_id',
        CASE WHEN NOT j.scheduled THEN 'PAUSED' END
    ),
    'SELECT * FROM timescaledb_information.jobs WHERE job_id >= 1000;'
FROM timescaledb_information.jobs AS j
-- old versions name the table behind an aggregate, by its number
LEFT JOIN timescaledb_information.continuous_aggregates AS c
    ON j.hypertable_name = c.materialization_hypertable_name
-- below 1000 are TimescaleDB's own
WHERE j.job_id >= 1000
