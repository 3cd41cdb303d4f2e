-- 2753_follow_lifecycle.sql: rows end as monitoring.lifecycle says, in small steps.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION internal.delete_old_rows(
    p_policy monitoring.lifecycle,
    p_until timestamptz,
    p_most integer
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
    v_gone bigint;
BEGIN
    EXECUTE format(
        -- the age once more: a row may have changed since, and another table have its ctid
        'DELETE FROM %1$s AS r WHERE r.%2$I < $1 AND r.ctid = ANY (ARRAY('
        'SELECT o.ctid FROM %1$s AS o WHERE o.%2$I < $1 LIMIT $2))',
        (p_policy).relation::regclass, (p_policy).time_column
    ) USING p_until, p_most;
    GET DIAGNOSTICS v_gone = ROW_COUNT;
    RETURN v_gone;
END
$$;
COMMENT ON FUNCTION internal.delete_old_rows(monitoring.lifecycle, timestamptz, integer) IS
'Deletes rows of a small table that are older than a moment, p_most of them; answers how many.';
REVOKE ALL ON FUNCTION
internal.delete_old_rows(monitoring.lifecycle, timestamptz, integer) FROM public;

CREATE OR REPLACE FUNCTION internal.drop_old_chunk(
    p_policy monitoring.lifecycle,
    p_since timestamptz,
    p_until timestamptz
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_gone bigint := internal.count_step(p_policy, 'delete', p_since, p_until);
BEGIN
    PERFORM public.drop_chunks(
        (p_policy).relation::regclass, older_than => p_until, newer_than => p_since
    );
    INSERT INTO monitoring.dropped_ranges (relation, range_start, range_end, reason)
    VALUES ((p_policy).relation, p_since, p_until, 'deleted');
    RETURN v_gone;
END
$$;
COMMENT ON FUNCTION
internal.drop_old_chunk(monitoring.lifecycle, timestamptz, timestamptz) IS
'Drops a chunk of a hypertable whose rows go without a copy, and notes it; answers their number.';
REVOKE ALL ON FUNCTION
internal.drop_old_chunk(monitoring.lifecycle, timestamptz, timestamptz) FROM public;

CREATE OR REPLACE FUNCTION internal.take_lifecycle_step(
    p_relation text,
    p_step text,
    p_since timestamptz,
    p_until timestamptz,
    p_chunk regclass
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC' -- as where steps are listed
AS $$
DECLARE
    v_policy monitoring.lifecycle;
    v_gone bigint := 0;
BEGIN
    -- FOR UPDATE: a hold that somebody sets now waits for this step, and stops the next; so does
    -- another run. Steps were listed before: the policy may have changed since, or its chunk gone.
    SELECT * INTO v_policy
    FROM monitoring.lifecycle AS l
    WHERE l.relation = p_relation
        AND NOT l.legal_hold
        AND l.way = CASE p_step
            WHEN 'drop' THEN 'archived' WHEN 'delete' THEN 'deleted' ELSE 'thinned'
        END
        AND (
            p_step = 'compact'
            OR p_until <= now() - CASE p_step
                WHEN 'thin to the day' THEN l.keep_hourly ELSE l.keep_full
            END
        )
    FOR UPDATE;
    IF NOT FOUND OR NOT EXISTS (
        SELECT FROM pg_class AS c WHERE c.oid = coalesce(p_chunk, p_relation::regclass)
    ) THEN
        RETURN 0;
    END IF;
    CASE p_step
        WHEN 'thin to the hour', 'thin to the day' THEN
            v_gone := internal.thin_snapshots(
                split_part(p_step, ' ', 4), (p_since AT TIME ZONE 'UTC')::date
            );
        WHEN 'compact' THEN
            PERFORM internal.compact_snapshots(p_since, p_until);
        WHEN 'drop' THEN
            IF p_chunk IS NULL THEN
                v_gone := internal.delete_archived_rows(v_policy, p_since, p_until);
            ELSE
                v_gone := internal.drop_archived_chunk(v_policy, p_chunk, p_since, p_until);
            END IF;
        WHEN 'delete' THEN
            IF p_chunk IS NULL THEN
                v_gone := internal.delete_old_rows(v_policy, p_until, 10000);
            ELSE
                v_gone := internal.drop_old_chunk(v_policy, p_since, p_until);
            END IF;
    END CASE;
    RETURN v_gone;
END
$$;
COMMENT ON FUNCTION
internal.take_lifecycle_step(text, text, timestamptz, timestamptz, regclass) IS
'Does one step of lifecycle_steps() unless its table is held; answers how many rows went.';
REVOKE ALL ON FUNCTION
internal.take_lifecycle_step(text, text, timestamptz, timestamptz, regclass) FROM public;

-- A step is a transaction: a run that is ended in the middle has done what it noted, and the next
-- one goes on. The path is set in the body, as a procedure with a SET clause may not COMMIT.
-- A note says that a file was whole when it was written, not that it is still there. What is
-- archived leaves only where the caller has looked, as scripts/archive.py drop does.
CREATE OR REPLACE PROCEDURE public.follow_lifecycle(
    p_for interval DEFAULT '30 minutes',
    p_files_verified boolean DEFAULT FALSE
)
LANGUAGE plpgsql
AS $$
DECLARE
    v_end timestamptz := pg_catalog.clock_timestamp() + p_for;
    v_step record;
    v_gone bigint;
    v_steps integer := 0;
    v_rows bigint := 0;
    v_left integer := 0;
    v_before integer;
    v_failed text;
BEGIN
    SET LOCAL search_path = pg_catalog, pg_temp;
    -- thinning makes chunks due to be written again: once more, until nothing is done
    LOOP
        v_before := v_steps;
        v_left := 0;
        FOR v_step IN
            SELECT s.relation, s.step, s.range_start, s.range_end, s.chunk
            FROM monitoring.lifecycle_steps() AS s
            WHERE s.step <> 'archive' AND (s.step <> 'drop' OR p_files_verified)
        LOOP
            EXIT WHEN clock_timestamp() >= v_end;
            BEGIN
                SET LOCAL lock_timeout = '2s';
                LOOP
                    v_gone := internal.take_lifecycle_step(
                        v_step.relation, v_step.step, v_step.range_start, v_step.range_end,
                        v_step.chunk
                    );
                    v_rows := v_rows + v_gone;
                    EXIT WHEN v_gone < 10000 OR v_step.step <> 'delete'
                        OR v_step.chunk IS NOT NULL;
                END LOOP;
                v_steps := v_steps + 1;
            EXCEPTION
                WHEN lock_not_available OR deadlock_detected THEN
                    v_left := v_left + 1;
                    RAISE NOTICE '%: % of % is in use, left for the next call',
                        v_step.relation, v_step.step, v_step.range_start;
                WHEN SQLSTATE 'RB077' THEN
                    v_left := v_left + 1;
                    RAISE WARNING '%', SQLERRM;
                WHEN OTHERS THEN
                    -- one table's trouble is not that of all others
                    v_left := v_left + 1;
                    v_failed := coalesce(v_failed, format(
                        '%s: %s of %s failed: %s (%s)',
                        v_step.relation, v_step.step, v_step.range_start, SQLERRM, SQLSTATE
                    ));
                    RAISE WARNING '%: % of % failed: % (%)',
                        v_step.relation, v_step.step, v_step.range_start, SQLERRM, SQLSTATE;
            END;
            COMMIT;
            SET LOCAL search_path = pg_catalog, pg_temp;
        END LOOP;
        EXIT WHEN v_steps = v_before OR clock_timestamp() >= v_end;
    END LOOP;
    RAISE NOTICE '% steps done, % rows gone, % steps left for the next call',
        v_steps, v_rows, v_left;
    -- at the end, when all else is done and committed: a scheduler sees errors, and no warning
    IF v_failed IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB078',
            MESSAGE = v_failed,
            HINT = 'All other steps were done. Mend the cause; the next call tries again.';
    END IF;
END
$$;
COMMENT ON PROCEDURE public.follow_lifecycle (interval, boolean) IS
'Thins, drops and deletes what monitoring.lifecycle lets end, the longest overdue first, for p_for
at most; plan_lifecycle() is the dry run. Commits after each step, so call it outside a transaction,
as the owner, each night. A lock that is not granted within 2 seconds leaves its step to the next
call. What is archived goes only with p_files_verified, which says that the caller has just read the
files, and only where the note of a file equals it. Raises RB078 at the end when a step failed for
another reason than a lock or rows that lie in no file.';
REVOKE ALL ON PROCEDURE public.follow_lifecycle(interval, boolean) FROM public;
