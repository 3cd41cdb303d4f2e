-- 0910_migration.sql: data moved in from other stores: progress, rejects and proofs.

CALL deploy.become_owner();

CREATE SCHEMA IF NOT EXISTS migration;
COMMENT ON SCHEMA migration IS
'Moving in from SQLite, CSV or the base system: progress, refused rows, proofs.';

CREATE TABLE IF NOT EXISTS migration.progress (
    source text NOT NULL,
    table_name text NOT NULL,
    last_row bigint NOT NULL,
    moved bigint DEFAULT 0 NOT NULL,
    started_at public.event_time DEFAULT now() NOT NULL,
    finished_at public.event_time,
    CONSTRAINT progress_pkey PRIMARY KEY (source, table_name),
    CONSTRAINT progress_moved_not_negative_check CHECK (moved >= 0)
);
COMMENT ON TABLE migration.progress IS
'Progress of each table of a source. Written in the transaction that moved the rows.';
COMMENT ON COLUMN migration.progress.source IS
'Kind and name of the source, such as sqlite:rubi_studio.db.';
COMMENT ON COLUMN migration.progress.table_name IS 'Table of ours.';
COMMENT ON COLUMN migration.progress.last_row IS
'Number of the last row read: rowid of SQLite, record of a CSV file, id of the base system.';
COMMENT ON COLUMN migration.progress.moved IS 'Rows inserted here so far, over all runs.';
COMMENT ON COLUMN migration.progress.started_at IS
'Time when the first run began, UTC; stands in for times of creation that the source leaves empty.';
COMMENT ON COLUMN migration.progress.finished_at IS
'Time when the table was read to its end, UTC; NULL before.';

CREATE TABLE IF NOT EXISTS migration.rejects (
    source text NOT NULL,
    table_name text NOT NULL,
    source_row bigint NOT NULL,
    key text,
    rule text NOT NULL,
    detail text NOT NULL,
    row_values jsonb NOT NULL,
    rejected_at public.event_time DEFAULT now() NOT NULL,
    CONSTRAINT rejects_pkey PRIMARY KEY (source, table_name, source_row)
);
CREATE INDEX IF NOT EXISTS idx_rejects_key
ON migration.rejects (source, table_name, key) WHERE key IS NOT NULL;
COMMENT ON INDEX migration.idx_rejects_key IS
'Whether the parent that a row names was rejected.';
COMMENT ON TABLE migration.rejects IS
'Rows of a source that break a rule. A row leaves when a later run takes it.';
COMMENT ON COLUMN migration.rejects.source IS 'Source, as in progress.';
COMMENT ON COLUMN migration.rejects.table_name IS 'Table of ours that the row was meant for.';
COMMENT ON COLUMN migration.rejects.source_row IS 'Number of the row in the source.';
COMMENT ON COLUMN migration.rejects.key IS
'Key by which other rows name this one, id or session_id: rejected with it. NULL where another row
has the key, too.';
COMMENT ON COLUMN migration.rejects.rule IS
'Name of the broken constraint, or table_column_is_number and similar names for values of another
kind.';
COMMENT ON COLUMN migration.rejects.detail IS 'Fault in words.';
COMMENT ON COLUMN migration.rejects.row_values IS
'The row as the source has it; a password hash is left out.';
COMMENT ON COLUMN migration.rejects.rejected_at IS 'When, UTC.';

CREATE TABLE IF NOT EXISTS migration.leftovers (
    source text NOT NULL,
    table_name text NOT NULL,
    source_row bigint NOT NULL,
    owner text,
    row_values jsonb NOT NULL,
    CONSTRAINT leftovers_pkey PRIMARY KEY (source, table_name, source_row)
);
COMMENT ON TABLE migration.leftovers IS
'Columns of a source that no table of ours has, kept so that no value is dropped in silence.';
COMMENT ON COLUMN migration.leftovers.source IS 'Source, as in progress.';
COMMENT ON COLUMN migration.leftovers.table_name IS 'Table of ours that the row went to.';
COMMENT ON COLUMN migration.leftovers.source_row IS 'Number of the row in the source.';
COMMENT ON COLUMN migration.leftovers.owner IS
'Owner of the row: the user''s id, else its session_id. close_user needs this column.';
COMMENT ON COLUMN migration.leftovers.row_values IS 'Names and values of these columns.';

CREATE TABLE IF NOT EXISTS migration.proofs (
    id bigint GENERATED ALWAYS AS IDENTITY,
    source text NOT NULL,
    table_name text NOT NULL,
    measure text NOT NULL,
    source_value text,
    target_value text,
    holds boolean NOT NULL,
    proven_at public.event_time DEFAULT now() NOT NULL,
    CONSTRAINT proofs_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE migration.proofs IS
'Measures of moved rows, taken on both sides: counts, sums, minima, maxima and a hash of all rows.';
COMMENT ON COLUMN migration.proofs.id IS 'Order of proof.';
COMMENT ON COLUMN migration.proofs.source IS 'Source, as in progress.';
COMMENT ON COLUMN migration.proofs.table_name IS 'Table of ours.';
COMMENT ON COLUMN migration.proofs.measure IS
'rows, sum, min or max of a column, or hash: the sum over all rows of 64 bits of their MD5. All
except rows leave the rejected rows out.';
COMMENT ON COLUMN migration.proofs.source_value IS
'The measure of the source; NULL without one.';
COMMENT ON COLUMN migration.proofs.target_value IS
'The measure of the rows here that came from the source; for rows, with the rejected ones.';
COMMENT ON COLUMN migration.proofs.holds IS 'Whether both are equal.';
COMMENT ON COLUMN migration.proofs.proven_at IS 'When, UTC.';

CREATE TABLE IF NOT EXISTS migration.given_ids (
    source text NOT NULL,
    table_name text NOT NULL,
    source_row bigint NOT NULL,
    id bigint NOT NULL,
    CONSTRAINT given_ids_pkey PRIMARY KEY (source, table_name, source_row)
);
COMMENT ON TABLE migration.given_ids IS
'Ids from our sequences for rows of CSV files without an id. By these ids the proof and a later run
know the rows among others of the table. A rejected row keeps its id until it comes in.';
COMMENT ON COLUMN migration.given_ids.source IS 'Source, as in progress.';
COMMENT ON COLUMN migration.given_ids.table_name IS 'Table of ours that the row goes to.';
COMMENT ON COLUMN migration.given_ids.source_row IS 'Number of the row in the source.';
COMMENT ON COLUMN migration.given_ids.id IS 'Id of the row here.';
