-- 0600_audit.sql: changes with their time and role.

CALL deploy.become_owner();

CREATE SCHEMA IF NOT EXISTS audit;
COMMENT ON SCHEMA audit IS 'The audit trail: append-only for all roles except the owner.';

-- Rules are in domains: CHECKs of this table took half of what it costs to note a change.
-- An insert is noted without values: the row itself holds them until its first change, and later
-- the changes do.
CREATE TABLE IF NOT EXISTS audit.changes (
    id bigint GENERATED ALWAYS AS IDENTITY,
    changed_at public.event_time DEFAULT clock_timestamp() NOT NULL,
    login public.short_text DEFAULT session_user NOT NULL,
    app_user_id public.short_text,
    table_name public.short_text NOT NULL,
    row_id bigint NOT NULL,
    action public.row_action NOT NULL,
    old_values public.row_values,
    new_values public.row_values,
    CONSTRAINT changes_pkey PRIMARY KEY (id)
);

COMMENT ON TABLE audit.changes IS
'Inserts, updates and deletions of users, strategies, orders, accounts, risk rules and journals.
Never a password hash.';
COMMENT ON COLUMN audit.changes.id IS 'Order in which changes were noted.';
COMMENT ON COLUMN audit.changes.changed_at IS 'When, UTC.';
COMMENT ON COLUMN audit.changes.login IS 'Role that was logged in.';
COMMENT ON COLUMN audit.changes.app_user_id IS
'app.user_id as the API had set it; NULL when unset.';
COMMENT ON COLUMN audit.changes.table_name IS 'Table of the changed row.';
COMMENT ON COLUMN audit.changes.row_id IS 'id of the changed row.';
COMMENT ON COLUMN audit.changes.action IS 'INSERT, UPDATE or DELETE.';
COMMENT ON COLUMN audit.changes.old_values IS
'Before: the changed columns of an update, all columns of a deletion.';
COMMENT ON COLUMN audit.changes.new_values IS 'After: the changed columns of an update.';
