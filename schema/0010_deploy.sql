-- 0010_deploy.sql: the role that owns every object, and the record of applied files.

-- rubi_owner has no login: people and tools become it. The deployer is granted membership by name,
-- because some managed services refuse GRANT ... TO CURRENT_USER.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rubi_owner') THEN
        BEGIN
            CREATE ROLE rubi_owner NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- a deploy into another database of this cluster was quicker
        END;
    END IF;
    IF NOT pg_has_role(current_user, 'rubi_owner', 'USAGE') THEN
        EXECUTE format('GRANT rubi_owner TO %I', current_user);
    END IF;
    IF has_database_privilege(current_database(), 'CREATE WITH GRANT OPTION')
        AND NOT has_database_privilege('rubi_owner', current_database(), 'CREATE') THEN
        EXECUTE format('GRANT CREATE ON DATABASE %I TO rubi_owner', current_database());
    END IF;
    IF has_schema_privilege('public', 'CREATE WITH GRANT OPTION')
        AND NOT has_schema_privilege('rubi_owner', 'public', 'CREATE') THEN
        GRANT USAGE, CREATE ON SCHEMA public TO rubi_owner;
    END IF;
END
$$;

CREATE SCHEMA IF NOT EXISTS deploy;

-- Every later file that creates objects calls this first. Where a provider owns the schema public
-- and rubi_owner may not create in it, the role that deployed first owns the objects: others that
-- deploy later, a superuser too, act as that one.
CREATE OR REPLACE PROCEDURE deploy.become_owner()
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_owner oid := (SELECT n.nspowner FROM pg_namespace AS n WHERE n.nspname = 'deploy');
BEGIN
    IF pg_has_role(current_user, v_owner, 'USAGE') THEN
        PERFORM set_config('role', pg_get_userbyid(v_owner), FALSE);
    END IF;
    -- a file applied by hand: without standard strings its patterns lose their backslashes
    PERFORM set_config('standard_conforming_strings', 'on', FALSE);
END
$$;
REVOKE ALL ON PROCEDURE deploy.become_owner() FROM public;

DO $$
BEGIN
    IF to_regclass('deploy.history') IS NULL
        AND has_schema_privilege('rubi_owner', 'public', 'CREATE')
        AND has_database_privilege('rubi_owner', current_database(), 'CREATE') THEN
        ALTER SCHEMA deploy OWNER TO rubi_owner;
        ALTER PROCEDURE deploy.become_owner() OWNER TO rubi_owner;
    END IF;
END
$$;

CALL deploy.become_owner();

COMMENT ON SCHEMA deploy IS
'Applied files of the repository, with time and role. Written by install.sql and the runner.';
COMMENT ON PROCEDURE deploy.become_owner () IS
'Makes the session act as the owner of the objects, which is rubi_owner where that role may create
them, and read strings as written.';

CREATE TABLE IF NOT EXISTS deploy.history (
    id bigint GENERATED ALWAYS AS IDENTITY,
    path text NOT NULL,
    kind text NOT NULL,
    sha256 text NOT NULL,
    body text NOT NULL,
    tool text NOT NULL,
    tool_version text NOT NULL,
    applied_by text DEFAULT session_user NOT NULL,
    applied_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    duration_ms bigint NOT NULL,
    CONSTRAINT history_pkey PRIMARY KEY (id),
    CONSTRAINT history_path_id_key UNIQUE (path, id),
    CONSTRAINT history_kind_known_check CHECK (kind IN ('once', 'changed')),
    CONSTRAINT history_sha256_form_check CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT history_duration_not_negative_check CHECK (duration_ms >= 0)
);
COMMENT ON TABLE deploy.history IS
'One row each time a file of the repository was applied with a new text, or again because a file
before it had changed.';
COMMENT ON COLUMN deploy.history.id IS 'Order of application.';
COMMENT ON COLUMN deploy.history.path IS 'Path in the repository, such as schema/0100_users.sql.';
COMMENT ON COLUMN deploy.history.kind IS
'once: schema and indexes, frozen after release. changed: applied again when the text changes.';
COMMENT ON COLUMN deploy.history.sha256 IS
'SHA-256 in hex of body as UTF-8: line ends are LF, without trailing blank lines.';
COMMENT ON COLUMN deploy.history.body IS 'The text that was applied.';
COMMENT ON COLUMN deploy.history.tool IS
'Way in which the file was applied: psql, runner or baseline.';
COMMENT ON COLUMN deploy.history.tool_version IS 'Version of psql or of the runner.';
COMMENT ON COLUMN deploy.history.applied_by IS 'Role that was logged in.';
COMMENT ON COLUMN deploy.history.applied_at IS 'Time when the file had run, UTC.';
COMMENT ON COLUMN deploy.history.duration_ms IS 'Duration of the file in milliseconds.';

-- Shared by psql and the runner, so that both run the same files and leave the same rows.
CREATE OR REPLACE FUNCTION deploy.is_due(p_path text, p_body text)
RETURNS boolean
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- A changed file makes all later ones of its kind run again. These runs are recorded, so that a
    -- deployment that was killed between them goes on where it stopped.
    SELECT NOT EXISTS (
        SELECT FROM (
            SELECT h.id, h.kind, h.sha256
            FROM deploy.history AS h
            WHERE h.path = p_path
            ORDER BY h.id DESC
            LIMIT 1
        ) AS l
        WHERE l.sha256 = encode(
                sha256(
                    convert_to(rtrim(replace(p_body, E'\r\n', E'\n'), E'\n'), 'UTF8')
                ), 'hex'
            )
            AND (
                l.kind = 'once'
                OR NOT EXISTS (
                    SELECT FROM deploy.history AS h
                    WHERE h.kind = 'changed' AND h.id > l.id
                        AND split_part(h.path, '/', 2) < split_part(p_path, '/', 2)
                )
            )
    )
$$;
COMMENT ON FUNCTION deploy.is_due(text, text) IS
'Whether a file has to run: FALSE when its text is recorded already and no earlier file ran since.';
REVOKE ALL ON FUNCTION deploy.is_due(text, text) FROM public;

CREATE OR REPLACE FUNCTION deploy.record_file(
    p_path text,
    p_body text,
    p_tool text,
    p_tool_version text,
    p_started_at timestamptz
)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_body text := rtrim(replace(p_body, E'\r\n', E'\n'), E'\n');
    v_sha256 text := encode(sha256(convert_to(v_body, 'UTF8')), 'hex');
    v_kind text := CASE WHEN p_path ~ '^(schema|indexes)/' THEN 'once' ELSE 'changed' END;
BEGIN
    IF NOT deploy.is_due(p_path, p_body) THEN
        RETURN FALSE;
    END IF;
    IF v_kind = 'once' AND EXISTS (
        SELECT FROM deploy.history AS h
        WHERE h.path = p_path
    ) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB001',
            MESSAGE = format('%s was applied before with a different text', p_path),
            HINT = 'Restore the file and put the change into a new numbered file.';
    END IF;
    INSERT INTO deploy.history (path, kind, sha256, body, tool, tool_version, duration_ms)
    VALUES (
        p_path, v_kind, v_sha256, v_body, p_tool, p_tool_version,
        (date_part('epoch', clock_timestamp() - p_started_at) * 1000)::bigint
    );
    RETURN TRUE;
END
$$;
COMMENT ON FUNCTION deploy.record_file(text, text, text, text, timestamptz) IS
'Records that a file ran. Answers FALSE when its text is recorded already and no earlier file ran
since. Raises RB001 when a run-once file was applied before with a different text. p_started_at is
the file''s beginning.';
REVOKE ALL ON FUNCTION deploy.record_file(text, text, text, text, timestamptz) FROM public;

-- An interrupted CREATE INDEX CONCURRENTLY leaves an invalid index, which IF NOT EXISTS then skips
-- in silence. Shared by psql and the runner, which call it before a file that runs outside a
-- transaction. The table is locked first: an index that another session is still building is waited
-- for, and kept when it has become valid.
CREATE OR REPLACE PROCEDURE deploy.drop_invalid_indexes(p_body text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_index record;
BEGIN
    FOR v_index IN
        SELECT
            i.indexrelid,
            i.indexrelid::regclass::text AS name,
            i.indrelid::regclass::text AS on_table
        FROM pg_index AS i
        INNER JOIN pg_class AS c ON i.indexrelid = c.oid
        INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
        WHERE NOT i.indisvalid
            AND n.nspname !~ '^(pg|_timescaledb)_'
            AND c.relname ~ '^[a-z0-9_]+$'
            AND p_body ~ format('\m%s\M', c.relname)
        ORDER BY c.relname
    LOOP
        EXECUTE format('LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE', v_index.on_table);
        IF EXISTS (
            SELECT FROM pg_index AS i
            WHERE i.indexrelid = v_index.indexrelid AND NOT i.indisvalid
        ) THEN
            EXECUTE format('DROP INDEX %s', v_index.name);
            RAISE WARNING 'index % was left invalid by an interrupted build: dropped to be rebuilt',
                v_index.name;
        END IF;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE deploy.drop_invalid_indexes (text) IS
'Drops the invalid indexes that the text of a file names, so that the file builds them again.';
REVOKE ALL ON PROCEDURE deploy.drop_invalid_indexes(text) FROM public;
