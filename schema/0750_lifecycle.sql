-- 0750_lifecycle.sql: the end of each table's rows, and what has been done about them.

CALL deploy.become_owner();

CREATE TABLE IF NOT EXISTS monitoring.lifecycle (
    relation public.key_text NOT NULL,
    way text NOT NULL,
    time_column public.key_text,
    part_column public.key_text,
    keep_full interval,
    keep_hourly interval,
    archive_by text,
    legal_hold boolean DEFAULT FALSE NOT NULL,
    began_at public.event_time DEFAULT now() NOT NULL,
    reason public.long_text NOT NULL,
    CONSTRAINT lifecycle_pkey PRIMARY KEY (relation),
    CONSTRAINT lifecycle_way_known_check CHECK (
        way IN ('bounded', 'kept', 'own', 'thinned', 'archived', 'deleted')
    ),
    CONSTRAINT lifecycle_archive_by_known_check CHECK (archive_by IN ('day', 'month')),
    CONSTRAINT lifecycle_archived_by_a_unit_check CHECK (
        (way = 'archived') = (archive_by IS NOT NULL)
    ),
    CONSTRAINT lifecycle_part_of_an_archive_check CHECK (
        part_column IS NULL OR way = 'archived'
    ),
    CONSTRAINT lifecycle_ending_rows_have_a_time_check CHECK (
        way IN ('bounded', 'kept', 'own') OR time_column IS NOT NULL
    ),
    CONSTRAINT lifecycle_only_ending_rows_have_an_age_check CHECK (
        way NOT IN ('bounded', 'kept', 'own') OR keep_full IS NULL
    ),
    -- a rule on an account's equity measures each snapshot soon after it was taken
    CONSTRAINT lifecycle_keep_full_at_least_a_week_check CHECK (keep_full >= interval '7 days'),
    CONSTRAINT lifecycle_keep_full_at_most_a_century_check CHECK (
        keep_full <= interval '100 years'
    ),
    CONSTRAINT lifecycle_hourly_when_thinned_check CHECK (
        (way = 'thinned') = (keep_hourly IS NOT NULL)
    ),
    CONSTRAINT lifecycle_hourly_for_longer_check CHECK (
        keep_hourly >= keep_full AND keep_hourly <= interval '100 years'
    ),
    -- what becomes of the rows of an hour is known of snapshots alone
    CONSTRAINT lifecycle_thinned_are_snapshots_check CHECK (
        way <> 'thinned' OR relation = 'public.account_snapshots'
    )
);
COMMENT ON TABLE monitoring.lifecycle IS
'One row a table: how its growth ends, or why it needs no end. follow_lifecycle() follows it. Change
ages and holds freely: deploying keeps them.';
COMMENT ON COLUMN monitoring.lifecycle.relation IS 'Table with its schema.';
COMMENT ON COLUMN monitoring.lifecycle.way IS
'bounded: as large as what users or the configuration make it. kept: for ever. own: ended by a
procedure of its own, which reason names. thinned: to the hour, then to the day. archived: dropped
after scripts/archive.py proved a copy. deleted: without a copy.';
COMMENT ON COLUMN monitoring.lifecycle.time_column IS 'Column that says how old a row is.';
COMMENT ON COLUMN monitoring.lifecycle.part_column IS
'Column whose values get an archive of their own each; NULL for none.';
COMMENT ON COLUMN monitoring.lifecycle.keep_full IS
'Rows stay as they are until they are so old; NULL for ever.';
COMMENT ON COLUMN monitoring.lifecycle.keep_hourly IS
'Thinned to the hour until they are so old, then to the day.';
COMMENT ON COLUMN monitoring.lifecycle.archive_by IS 'day or month (UTC): what a folder holds.';
COMMENT ON COLUMN monitoring.lifecycle.legal_hold IS
'TRUE: no row leaves, whatever its age; archives are written all the same.';
COMMENT ON COLUMN monitoring.lifecycle.began_at IS
'When the policy began, UTC: nothing was overdue before.';
COMMENT ON COLUMN monitoring.lifecycle.reason IS 'Why so.';

CREATE TABLE IF NOT EXISTS monitoring.thinned_days (
    relation public.key_text NOT NULL,
    level text NOT NULL,
    day date NOT NULL,
    rows_before bigint NOT NULL,
    rows_after bigint NOT NULL,
    thinned_at public.event_time DEFAULT clock_timestamp() NOT NULL,
    compacted_at public.event_time,
    CONSTRAINT thinned_days_pkey PRIMARY KEY (relation, level, day),
    CONSTRAINT thinned_days_level_known_check CHECK (level IN ('hour', 'day')),
    CONSTRAINT thinned_days_day_finite_check CHECK (isfinite(day)),
    CONSTRAINT thinned_days_rows_left_check CHECK (
        rows_after > 0 AND rows_after <= rows_before
    )
);
COMMENT ON TABLE monitoring.thinned_days IS
'Days whose rows were thinned. Written by follow_lifecycle(); a day without its row is thinned by
the next call.';
COMMENT ON COLUMN monitoring.thinned_days.relation IS 'Table with its schema.';
COMMENT ON COLUMN monitoring.thinned_days.level IS 'hour or day: what the rows stand for now.';
COMMENT ON COLUMN monitoring.thinned_days.day IS 'Day of the rows, UTC.';
COMMENT ON COLUMN monitoring.thinned_days.rows_before IS 'Rows before.';
COMMENT ON COLUMN monitoring.thinned_days.rows_after IS 'Rows that stayed.';
COMMENT ON COLUMN monitoring.thinned_days.thinned_at IS 'When, UTC.';
COMMENT ON COLUMN monitoring.thinned_days.compacted_at IS
'When its chunk was written again without the gaps, UTC; NULL while that is to come.';

CREATE TABLE IF NOT EXISTS monitoring.archives (
    relation public.key_text NOT NULL,
    part public.key_text DEFAULT '' NOT NULL,
    range_start public.finite_time NOT NULL,
    range_end public.finite_time NOT NULL,
    number integer DEFAULT 1 NOT NULL,
    location public.short_text NOT NULL,
    sha256 text NOT NULL,
    row_count bigint NOT NULL,
    row_hash public.figure NOT NULL,
    archived_at public.event_time DEFAULT now() NOT NULL,
    dropped_at public.event_time,
    CONSTRAINT archives_pkey PRIMARY KEY (relation, part, range_start, number),
    CONSTRAINT archives_location_key UNIQUE (location),
    CONSTRAINT archives_end_after_start_check CHECK (range_end > range_start),
    CONSTRAINT archives_number_positive_check CHECK (number > 0),
    CONSTRAINT archives_sha256_form_check CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT archives_row_count_positive_check CHECK (row_count > 0)
);
COMMENT ON TABLE monitoring.archives IS
'Rows written to Parquet, read back and found equal by scripts/archive.py: a row a file. Those of
bars are in market_archives.';
COMMENT ON COLUMN monitoring.archives.relation IS 'Table with its schema.';
COMMENT ON COLUMN monitoring.archives.part IS
'Value of the policy''s part_column; empty without one.';
COMMENT ON COLUMN monitoring.archives.range_start IS 'Time of the first rows, included, UTC.';
COMMENT ON COLUMN monitoring.archives.range_end IS 'Time of the last rows, not included, UTC.';
COMMENT ON COLUMN monitoring.archives.number IS
'1; more for rows that came after those before them had been dropped.';
COMMENT ON COLUMN monitoring.archives.location IS 'File, below the target of the script.';
COMMENT ON COLUMN monitoring.archives.sha256 IS 'SHA-256 of the file in hex.';
COMMENT ON COLUMN monitoring.archives.row_count IS 'Rows in the file.';
COMMENT ON COLUMN monitoring.archives.row_hash IS
'Sum over the rows of 64 bits of the MD5 of their values: equal only when all are.';
COMMENT ON COLUMN monitoring.archives.archived_at IS 'Time when the file was proved equal, UTC.';
COMMENT ON COLUMN monitoring.archives.dropped_at IS
'Time when the rows were dropped here, UTC; NULL while the table has them.';
