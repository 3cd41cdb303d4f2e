-- 6020_extensions.sql: takes rights from PUBLIC that extensions and PostgreSQL give and no role
-- here needs: above all functions that drop chunks of tables of others.
-- Needs a superuser, who may run this file alone, at any time and again: after the installation
--        and after each update of an extension. For other roles the file names the rights that stay
-- open.

RESET ROLE;

DO $$
DECLARE
    v_item record;
    v_role text;
    v_closed integer := 0;
    v_open text[] := '{}';
    v_deployed boolean;
BEGIN
    -- a superuser must not find objects that another role put into another schema
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', TRUE);
    -- Roles can be given rights only where the files were deployed. Before that, the rights that
    -- the deployment itself needs stay.
    v_deployed := to_regnamespace('deploy') IS NOT NULL
        AND to_regrole('rubi_owner') IS NOT NULL AND to_regrole('rubi_app') IS NOT NULL
        AND to_regrole('rubi_monitor') IS NOT NULL AND to_regrole('rubi_backup') IS NOT NULL;
    FOR v_item IN
        WITH members AS (
            SELECT d.classid, d.objid, e.extname
            FROM pg_depend AS d
            INNER JOIN pg_extension AS e ON d.refobjid = e.oid
            WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
        ),

        found AS (
            -- The owner keeps the whole of TimescaleDB. Every role keeps functions that only
            -- compute or read: views and plans of TimescaleDB call some of these as the asking
            -- role.
            SELECT
                p.oid, p.proowner AS owner, p.proacl AS acl, 'f'::"char" AS kind,
                CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END AS word,
                p.oid::regprocedure::text AS name,
                ARRAY['rubi_owner'] AS roles,
                n.nspname ~ '^_timescaledb_' OR p.proname = 'merge_chunks' AS early
            FROM pg_proc AS p
            INNER JOIN members AS m
                ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid AND m.extname = 'timescaledb'
            INNER JOIN pg_namespace AS n ON p.pronamespace = n.oid
            WHERE p.prokind IN ('f', 'p')
                AND p.provolatile = 'v'
                AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
                AND p.proname !~ '(_size|_row_count|_stats|gapfill|^locf|^interpolate)$'
                -- 2.22's view of continuous aggregates has one
                AND NOT EXISTS (
                    SELECT FROM pg_depend AS u
                    WHERE u.classid = 'pg_rewrite'::regclass
                        AND u.refclassid = 'pg_proc'::regclass
                        AND u.refobjid = p.oid
                )
            UNION ALL
            -- Large objects of one role stop the dumps of another; no table here refers to any. And
            -- any role could fill the WAL.
            SELECT
                p.oid, p.proowner, p.proacl, 'f', 'FUNCTION', p.oid::regprocedure::text,
                '{}', TRUE
            FROM pg_proc AS p
            WHERE p.pronamespace = 'pg_catalog'::regnamespace
                AND (p.proname ~ '^lo_' OR p.proname IN (
                    'loread', 'lowrite', 'pg_logical_emit_message'
                ))
            UNION ALL
            -- Deployments, backups and subscribers keep each other out by advisory locks: roles
            -- that only read, and gateways, get the one that subscribe() takes, tenants the one
            -- that the triggers of signals and positions ask with. Pools of drivers unlock all.
            SELECT
                p.oid, p.proowner, p.proacl, 'f', 'FUNCTION', p.oid::regprocedure::text,
                ARRAY['rubi_owner', 'rubi_app', 'rubi_backup'] || CASE p.oid::regprocedure::text
                    WHEN 'pg_advisory_lock_shared(integer,integer)'
                        THEN ARRAY['rubi_ingest', 'rubi_readonly']
                    WHEN 'pg_try_advisory_lock(integer,integer)' THEN ARRAY['rubi_tenant']
                    WHEN 'pg_advisory_unlock(integer,integer)' THEN ARRAY['rubi_tenant']
                    ELSE '{}'
                END,
                FALSE
            FROM pg_proc AS p
            WHERE p.pronamespace = 'pg_catalog'::regnamespace
                AND p.proname ~ '^pg_(try_)?advisory_' AND p.proname <> 'pg_advisory_unlock_all'
            UNION ALL
            -- Statements and their counts are for the role that watches the server.
            SELECT
                p.oid, p.proowner, p.proacl, 'f', 'FUNCTION', p.oid::regprocedure::text,
                ARRAY['rubi_owner', 'rubi_monitor', 'rubi_backup', 'pg_read_all_stats'], FALSE
            FROM pg_proc AS p
            INNER JOIN members AS m
                ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
                    AND m.extname = 'pg_stat_statements'
            WHERE p.proname <> 'pg_stat_statements_reset'
            UNION ALL
            SELECT
                c.oid, c.relowner, c.relacl, 'r', 'TABLE', c.oid::regclass::text,
                ARRAY['rubi_owner', 'rubi_monitor', 'rubi_backup', 'pg_read_all_stats'], FALSE
            FROM pg_class AS c
            INNER JOIN members AS m
                ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
                    AND m.extname = 'pg_stat_statements'
            WHERE c.relkind = 'v'
        )

        SELECT
            f.oid, f.word, f.name, f.roles,
            -- a superuser is taken for a member of every role
            pg_has_role(current_user, f.owner, 'USAGE') AS may,
            EXISTS (
                SELECT FROM aclexplode(coalesce(f.acl, acldefault(f.kind, f.owner))) AS a
                WHERE a.grantee = 0
            ) AS open
        FROM found AS f
        WHERE f.early OR v_deployed
        ORDER BY f.name
    LOOP
        IF NOT v_item.may THEN
            IF v_item.open THEN
                v_open := v_open || v_item.name;
            END IF;
            CONTINUE;
        END IF;
        IF v_item.open THEN
            EXECUTE format('REVOKE ALL ON %s %s FROM public', v_item.word, v_item.name);
            v_closed := v_closed + 1;
        END IF;
        CONTINUE WHEN NOT v_deployed;
        FOREACH v_role IN ARRAY v_item.roles LOOP
            IF v_item.word = 'TABLE' AND NOT has_table_privilege(v_role, v_item.oid, 'SELECT') THEN
                EXECUTE format('GRANT SELECT ON %s TO %I', v_item.name, v_role);
            ELSIF v_item.word <> 'TABLE'
                AND NOT has_function_privilege(v_role, v_item.oid, 'EXECUTE') THEN
                EXECUTE format(
                    'GRANT EXECUTE ON %s %s TO %I', v_item.word, v_item.name, v_role
                );
            END IF;
        END LOOP;
    END LOOP;
    IF v_closed > 0 THEN
        RAISE NOTICE '% objects taken from PUBLIC', v_closed;
    END IF;
    IF NOT v_deployed THEN
        RAISE NOTICE 'run this file again when the database is installed';
    END IF;
    IF v_open <> '{}' THEN
        RAISE NOTICE 'PUBLIC keeps % objects (% ...): have a superuser run this file',
            cardinality(v_open), v_open[1];
    END IF;
END
$$;
