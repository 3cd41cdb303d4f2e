-- 0820_history_readings.sql: days of which the hypertables had rows, and ranges dropped on purpose.

CALL deploy.become_owner();

-- A lost chunk leaves no trace of its own: only this table knows the former days.
CREATE TABLE IF NOT EXISTS monitoring.day_readings (
    relation public.key_text NOT NULL,
    day date NOT NULL,
    row_count bigint NOT NULL,
    read_at public.event_time NOT NULL,
    gone_at public.event_time,
    CONSTRAINT day_readings_day_finite_check CHECK (isfinite(day)),
    CONSTRAINT day_readings_pkey PRIMARY KEY (relation, day),
    CONSTRAINT day_readings_row_count_positive_check CHECK (row_count > 0)
);
COMMENT ON TABLE monitoring.day_readings IS
'Days of which a hypertable had rows at the last reading. Written by
monitoring.take_readings().';
COMMENT ON COLUMN monitoring.day_readings.relation IS 'Hypertable with its schema.';
COMMENT ON COLUMN monitoring.day_readings.day IS 'Day of the rows, UTC.';
COMMENT ON COLUMN monitoring.day_readings.row_count IS 'Number of rows at read_at.';
COMMENT ON COLUMN monitoring.day_readings.read_at IS
'Latest reading that found rows of the day, UTC.';
COMMENT ON COLUMN monitoring.day_readings.gone_at IS
'First reading without rows of the day, UTC; NULL while there are rows.';

-- Only chunks with later writes are read again.
CREATE TABLE IF NOT EXISTS monitoring.chunk_readings (
    chunk public.key_text NOT NULL,
    changes bigint NOT NULL,
    read_at public.event_time NOT NULL,
    CONSTRAINT chunk_readings_pkey PRIMARY KEY (chunk)
);
COMMENT ON TABLE monitoring.chunk_readings IS
'Chunks whose days are in monitoring.day_readings. Written by monitoring.take_readings().';
COMMENT ON COLUMN monitoring.chunk_readings.chunk IS 'Chunk with its schema.';
COMMENT ON COLUMN monitoring.chunk_readings.changes IS
'Rows inserted, updated and deleted by then, as PostgreSQL''s statistics count them.';
COMMENT ON COLUMN monitoring.chunk_readings.read_at IS 'Time of the reading, UTC.';

CREATE TABLE IF NOT EXISTS monitoring.dropped_ranges (
    id bigint GENERATED ALWAYS AS IDENTITY,
    relation public.key_text NOT NULL,
    range_start public.finite_time NOT NULL,
    range_end public.finite_time NOT NULL,
    reason public.short_text NOT NULL,
    dropped_at public.event_time DEFAULT clock_timestamp() NOT NULL,
    dropped_by public.key_text DEFAULT session_user NOT NULL,
    CONSTRAINT dropped_ranges_pkey PRIMARY KEY (id),
    CONSTRAINT dropped_ranges_end_after_start_check CHECK (range_end > range_start)
);
COMMENT ON TABLE monitoring.dropped_ranges IS
'History that was dropped on purpose. public.drop_expired_bars() writes here, and so does a person
who drops rows by hand.';
COMMENT ON COLUMN monitoring.dropped_ranges.id IS 'Order of writing.';
COMMENT ON COLUMN monitoring.dropped_ranges.relation IS 'Hypertable with its schema.';
COMMENT ON COLUMN monitoring.dropped_ranges.range_start IS
'Time from which rows went, included, UTC.';
COMMENT ON COLUMN monitoring.dropped_ranges.range_end IS
'Time up to which rows went, not included, UTC.';
COMMENT ON COLUMN monitoring.dropped_ranges.reason IS 'Reason in words.';
COMMENT ON COLUMN monitoring.dropped_ranges.dropped_at IS 'When, UTC.';
COMMENT ON COLUMN monitoring.dropped_ranges.dropped_by IS 'Role that was logged in.';
