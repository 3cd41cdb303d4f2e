-- 0890_monitoring_thresholds.sql: values at which a health check warns.

CALL deploy.become_owner();

CREATE TABLE IF NOT EXISTS monitoring.thresholds (
    name public.key_text NOT NULL,
    warning public.figure,
    critical public.figure,
    worse text DEFAULT 'above' NOT NULL,
    unit public.key_text NOT NULL,
    meaning public.long_text NOT NULL,
    action public.long_text NOT NULL,
    CONSTRAINT thresholds_pkey PRIMARY KEY (name),
    CONSTRAINT thresholds_worse_known_check CHECK (worse IN ('above', 'below')),
    CONSTRAINT thresholds_critical_is_worse_check CHECK (
        (worse = 'above' AND warning <= critical) OR (worse = 'below' AND warning >= critical)
    )
);
COMMENT ON TABLE monitoring.thresholds IS
'One row a check of monitoring.health. Change warning and critical freely: deploying keeps them.';
COMMENT ON COLUMN monitoring.thresholds.name IS 'Check.';
COMMENT ON COLUMN monitoring.thresholds.warning IS
'Value at which a warning begins, in unit; NULL for never.';
COMMENT ON COLUMN monitoring.thresholds.critical IS
'Value at which the critical range begins, in unit; NULL for never.';
COMMENT ON COLUMN monitoring.thresholds.worse IS
'above: high values are bad. below: low values are bad.';
COMMENT ON COLUMN monitoring.thresholds.unit IS 'Unit of value, warning and critical.';
COMMENT ON COLUMN monitoring.thresholds.meaning IS 'Meaning of the value.';
COMMENT ON COLUMN monitoring.thresholds.action IS 'Advice when the status is bad.';
