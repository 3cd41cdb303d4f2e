-- 2810_take_readings.sql: writes down sizes, proofs and days of history, once an hour or a day.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION monitoring.take_readings()
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- rubi_monitor neither reads users' rows nor writes
SET search_path = pg_catalog, pg_temp
SET work_mem = '64MB' -- a hash of all positions, once an hour
AS $$
DECLARE
    c_many CONSTANT bigint := 1000;
BEGIN
    INSERT INTO monitoring.size_readings (relation, taken_on, bytes)
    SELECT
        s.table_schema || '.' || s.table_name,
        (now() AT TIME ZONE 'UTC')::date,
        s.total_bytes
    FROM monitoring.table_sizes AS s
    UNION ALL
    SELECT
        'database',
        (now() AT TIME ZONE 'UTC')::date,
        d.bytes
    FROM monitoring.database_size AS d
    ON CONFLICT (relation, taken_on) DO UPDATE SET bytes = excluded.bytes;
    -- a picture of the account may be newer than the deal that its broker left for archived ones
    PERFORM internal.explain_archived_deals(g.account_id)
    FROM (
        SELECT DISTINCT d.account_id
        FROM public.trading_deals AS d
        WHERE d.gone_since IS NOT NULL
    ) AS g
    CROSS JOIN LATERAL (
        SELECT b.account_id
        FROM monitoring.balance_violations AS b
        WHERE b.account_id = g.account_id
        OFFSET 0 -- keeps it a look-up
    ) AS b;
    -- To look up fewer again each hour costs less than to remember them. The number of positions
    -- alone tells of most that wait: to count these reads all deals.
    IF (
        (SELECT count(*) FROM public.mt5_trips AS t WHERE t.leg = 1)
        - (SELECT count(*) FROM internal.proved_positions AS p)
    ) >= c_many OR NOT EXISTS (
        SELECT FROM monitoring.proof_readings AS r
        WHERE r.name = 'trips' AND r.taken_at >= date_trunc('day', now(), 'UTC')
    ) THEN
        PERFORM monitoring.prove_trips(c_many);
    END IF;
    INSERT INTO monitoring.proof_readings (name, violations, listed_by)
    SELECT
        p.name,
        p.violations,
        p.listed_by
    FROM monitoring.proofs AS p
    ON CONFLICT (name, taken_at) DO NOTHING;
    PERFORM monitoring.read_history();
    RETURN (SELECT sum(p.violations) FROM monitoring.latest_proofs AS p);
END
$$;
COMMENT ON FUNCTION monitoring.take_readings() IS
'Records today''s sizes, the results of the proofs and the days that have history; answers the
number of violations. monitoring.lifecycle says for how long they are kept. scripts/health.py record
and a timer call it.';
REVOKE ALL ON FUNCTION monitoring.take_readings() FROM public;
