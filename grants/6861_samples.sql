-- 6861_samples.sql: rights to take samples and to look back.

CALL deploy.become_owner();

-- pg_dump reads each part of a ring by its own name.
GRANT SELECT ON
monitoring.samples, monitoring.samples_0, monitoring.samples_1, monitoring.samples_2,
monitoring.facts, monitoring.facts_0, monitoring.facts_1, monitoring.facts_2,
monitoring.facts_3, monitoring.facts_4, monitoring.facts_5,
monitoring.sampled_causes, monitoring.counter_readings
TO rubi_backup;

-- The sampler sees other sessions by its role's membership in pg_monitor, so it runs as its caller.
GRANT SELECT, INSERT ON monitoring.samples TO rubi_monitor;
GRANT SELECT, INSERT, UPDATE ON
monitoring.facts, monitoring.sampled_causes, monitoring.counter_readings
TO rubi_monitor;

GRANT EXECUTE ON FUNCTION
monitoring.counters_between(jsonb, jsonb),
monitoring.find_incidents(timestamptz, timestamptz),
monitoring.incident(timestamptz, timestamptz),
monitoring.incident_json(timestamptz, timestamptz),
monitoring.incident_rows(timestamptz, timestamptz),
monitoring.keep_samples(boolean),
monitoring.list_waits(timestamptz, timestamptz),
monitoring.plain_statement(text),
monitoring.read_troubles(interval),
monitoring.take_counters(boolean),
monitoring.take_sample(interval),
monitoring.turn_rings()
TO rubi_monitor;
