-- 0915_migration_given_ids.sql: ids that rows of a source without any got here.
-- needs: schema/0910_migration.sql
-- transaction: yes

CALL deploy.become_owner();

CREATE TABLE IF NOT EXISTS migration.given_ids (
    source text NOT NULL,
    table_name text NOT NULL,
    source_row bigint NOT NULL,
    id bigint NOT NULL,
    CONSTRAINT given_ids_pkey PRIMARY KEY (source, table_name, source_row)
);
COMMENT ON TABLE migration.given_ids IS
'Ids from our sequences for rows of CSV files that have none: by them rows are told from others that
the table has, by the proof and by a later run. A rejected row keeps its id until it comes in.';
COMMENT ON COLUMN migration.given_ids.source IS 'Source, as in progress.';
COMMENT ON COLUMN migration.given_ids.table_name IS 'Table of ours that the row goes to.';
COMMENT ON COLUMN migration.given_ids.source_row IS 'Number of the row in the source.';
COMMENT ON COLUMN migration.given_ids.id IS 'Its id here.';
