-- 6861_samples.sql: rights to take samples and to look back.

CALL deploy.become_owner();

GRANT SELECT ON
monitoring.samples, monitoring.facts, monitoring.sampled_causes, monitoring.sampled_statements,
monitoring.counter_readings, monitoring.samples_0, monitoring.samples_1, monitoring.samples_2,
monitoring.facts_0, monitoring.facts_1, monitoring.facts_2, monitoring.facts_3,
monitoring.facts_4, monitoring.facts_5
TO rubi_monitor, rubi_backup;
GRANT SELECT ON SEQUENCE monitoring.sampled_causes_id_seq TO rubi_backup;

-- The sampler sees other sessions by its role's membership in pg_monitor, so it runs as its caller.
GRANT INSERT ON
monitoring.sampled_causes, monitoring.sampled_statements, monitoring.samples_0,
monitoring.samples_1, monitoring.samples_2
TO rubi_monitor;
GRANT INSERT, UPDATE ON
monitoring.counter_readings, monitoring.facts_0, monitoring.facts_1, monitoring.facts_2,
monitoring.facts_3, monitoring.facts_4, monitoring.facts_5
TO rubi_monitor;

GRANT EXECUTE ON FUNCTION
monitoring.counters_between(jsonb, jsonb),
monitoring.find_data_incidents(timestamptz, timestamptz),
monitoring.find_server_incidents(timestamptz, timestamptz),
monitoring.find_session_incidents(timestamptz, timestamptz),
monitoring.find_waits(timestamptz, timestamptz),
monitoring.incident(timestamptz, timestamptz),
monitoring.incident_json(timestamptz, timestamptz),
monitoring.is_only_sampler(),
monitoring.keep_samples(boolean),
monitoring.list_waits(timestamptz, timestamptz),
monitoring.note_chunks(),
monitoring.note_health(),
monitoring.plain_statement(text),
monitoring.read_counters(text),
monitoring.read_deploys(timestamptz, timestamptz),
monitoring.read_incidents(interval),
monitoring.read_lock_waits(interval),
monitoring.ring_slot(timestamptz, integer),
monitoring.roll_up(timestamptz, boolean),
monitoring.sample_sessions(),
monitoring.sum_waits(timestamptz, timestamptz),
monitoring.take_counters(text),
monitoring.take_sample(interval),
monitoring.take_statement_texts(),
monitoring.told_as_text(jsonb),
monitoring.told_of_session(pg_stat_activity),
monitoring.turn_rings(),
monitoring.write_fact(text, text, timestamptz, timestamptz, numeric, jsonb)
TO rubi_monitor;
