-- 0810_monitoring_readings.sql: readings of sizes and proofs, to see growth and to ask cheaply.

CALL deploy.become_owner();

CREATE TABLE IF NOT EXISTS monitoring.size_readings (
    relation public.key_text NOT NULL,
    taken_on date NOT NULL,
    bytes bigint NOT NULL,
    CONSTRAINT size_readings_pkey PRIMARY KEY (relation, taken_on),
    CONSTRAINT size_readings_taken_on_finite_check CHECK (isfinite(taken_on)),
    CONSTRAINT size_readings_bytes_not_negative_check CHECK (bytes >= 0)
);
COMMENT ON TABLE monitoring.size_readings IS
'Size of each table and of the database, once a day. Written by monitoring.take_readings().';
COMMENT ON COLUMN monitoring.size_readings.relation IS
'Table with its schema, a hypertable as a whole, or database.';
COMMENT ON COLUMN monitoring.size_readings.taken_on IS 'Day, UTC.';
COMMENT ON COLUMN monitoring.size_readings.bytes IS 'Bytes with indexes and TOAST.';

-- The proofs read every order and deal: too much for a view that is asked each minute.
CREATE TABLE IF NOT EXISTS monitoring.proof_readings (
    name public.key_text NOT NULL,
    taken_at public.event_time DEFAULT now() NOT NULL,
    violations bigint NOT NULL,
    listed_by public.key_text NOT NULL,
    CONSTRAINT proof_readings_pkey PRIMARY KEY (name, taken_at),
    CONSTRAINT proof_readings_violations_not_negative_check CHECK (violations >= 0)
);
COMMENT ON TABLE monitoring.proof_readings IS
'Readings of monitoring.proofs. Written by monitoring.take_readings().';
COMMENT ON COLUMN monitoring.proof_readings.name IS 'Proof.';
COMMENT ON COLUMN monitoring.proof_readings.taken_at IS 'When, UTC.';
COMMENT ON COLUMN monitoring.proof_readings.violations IS 'Rows that contradicted the proof.';
COMMENT ON COLUMN monitoring.proof_readings.listed_by IS 'View that lists the rows.';
