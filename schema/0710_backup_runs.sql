-- 0710_backup_runs.sql: runs of scripts/backup.sh, restore.sh and restore_drill.sh.

CALL deploy.become_owner();

CREATE TABLE IF NOT EXISTS monitoring.backup_runs (
    id bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    started_at public.event_time NOT NULL,
    finished_at public.event_time DEFAULT now() NOT NULL,
    succeeded boolean NOT NULL,
    location public.short_text,
    bytes bigint,
    sha256 text,
    message public.long_text,
    CONSTRAINT backup_runs_pkey PRIMARY KEY (id),
    CONSTRAINT backup_runs_kind_check CHECK (kind IN ('backup', 'drill', 'physical')),
    CONSTRAINT backup_runs_finished_after_started_check CHECK (finished_at >= started_at),
    CONSTRAINT backup_runs_bytes_check CHECK (bytes >= 0),
    CONSTRAINT backup_runs_sha256_form_check CHECK (sha256 ~ '^[0-9a-f]{64}$')
);
COMMENT ON TABLE monitoring.backup_runs IS
'One row a backup or restore drill, also for the failed ones. Written by the scripts only.';
COMMENT ON COLUMN monitoring.backup_runs.id IS 'Number of the run.';
COMMENT ON COLUMN monitoring.backup_runs.kind IS
'backup: a dump. drill: a dump restored and compared. physical: a pgBackRest backup.';
COMMENT ON COLUMN monitoring.backup_runs.started_at IS 'Begin, UTC.';
COMMENT ON COLUMN monitoring.backup_runs.finished_at IS 'End, UTC.';
COMMENT ON COLUMN monitoring.backup_runs.succeeded IS
'Whether the backup was complete and verified.';
COMMENT ON COLUMN monitoring.backup_runs.location IS 'File, folder or URL, without credentials.';
COMMENT ON COLUMN monitoring.backup_runs.bytes IS 'Size of the backup in bytes.';
COMMENT ON COLUMN monitoring.backup_runs.sha256 IS 'SHA-256 of the custom-format dump in hex.';
COMMENT ON COLUMN monitoring.backup_runs.message IS 'One line: the work done, or the failure.';
