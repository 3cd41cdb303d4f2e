-- 2384_prove_trips.sql: remembers which positions' trips were proved.

CALL deploy.become_owner();

-- One statement has one snapshot: a row that changes meanwhile has another version in the next.
CREATE OR REPLACE FUNCTION monitoring.prove_trips(p_least bigint DEFAULT 1)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- rubi_monitor neither reads users' rows nor writes
SET search_path = pg_catalog, pg_temp
SET work_mem = '64MB' -- as monitoring.take_readings()
AS $$
DECLARE
    v_proved bigint;
BEGIN
    IF (SELECT count(*) FROM internal.unproved_positions) < p_least THEN
        RETURN 0;
    END IF;
    WITH wrong AS MATERIALIZED (
        SELECT DISTINCT v.account_id, v.position_id
        FROM monitoring.trip_violations AS v
        WHERE v.position_id IS NOT NULL
    )
    INSERT INTO internal.proved_positions AS p (account_id, position_id, marks)
    SELECT u.account_id, u.position_id, u.marks
    FROM internal.unproved_positions AS u
    LEFT JOIN wrong AS w ON u.account_id = w.account_id AND u.position_id = w.position_id
    WHERE w.position_id IS NULL
    ORDER BY u.account_id, u.position_id
    ON CONFLICT ON CONSTRAINT proved_positions_pkey DO UPDATE SET marks = excluded.marks;
    GET DIAGNOSTICS v_proved = ROW_COUNT;
    DELETE FROM internal.proved_positions AS p
    WHERE NOT EXISTS (
        SELECT FROM public.mt5_trips AS t
        WHERE t.account_id = p.account_id AND t.position_id = p.position_id
    ) AND NOT EXISTS (
        SELECT FROM public.trading_deals AS d
        WHERE d.account_id = p.account_id AND d.position_id = p.position_id
    );
    RETURN v_proved;
END
$$;
COMMENT ON FUNCTION monitoring.prove_trips(bigint) IS
'Proves the trips and orders of all positions of which a row has changed, and remembers those that
are well, once p_least of them wait; answers their number. The others stay in
monitoring.trip_violations. take_readings() calls it; after a first load of millions of deals call
it once as an administrator, without a timeout.';
REVOKE ALL ON FUNCTION monitoring.prove_trips(bigint) FROM public;
