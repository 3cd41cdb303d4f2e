-- 2392_take_mt5_rows.sql: the elements of an array that are to be stored.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION internal.leave_out_elements(p_rows jsonb, p_numbers bigint[])
RETURNS jsonb
LANGUAGE plpgsql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF cardinality(p_numbers) = jsonb_array_length(p_rows) THEN
        RETURN NULL;
    ELSIF p_numbers = '{}' THEN
        RETURN p_rows;
    END IF;
    RETURN (
        SELECT jsonb_agg(e.value ORDER BY e.n)
        FROM jsonb_array_elements(p_rows) WITH ORDINALITY AS e (value, n)
        WHERE e.n NOT IN (SELECT u.n FROM unnest(p_numbers) AS u (n))
    );
END
$$;
COMMENT ON FUNCTION internal.leave_out_elements(jsonb, bigint[]) IS
'The array without the elements at some positions, from 1; NULL when none is left.';
REVOKE ALL ON FUNCTION internal.leave_out_elements(jsonb, bigint[]) FROM public;

-- The functions of the ledger keep generic plans. One that a session made while a table was all but
-- empty goes by any index that begins with the account, and reads all rows of the account for each
-- look-up until the table is analyzed, which may be a whole first history later. So all plans of a
-- session are given up each time that one of the tables has doubled.
CREATE OR REPLACE FUNCTION internal.renew_mt5_plans()
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c_pages CONSTANT integer[] :=
        '{4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768}';
    c_page CONSTANT integer := current_setting('block_size');
    v_sizes text := concat_ws(
        ' ',
        width_bucket((pg_relation_size('public.trading_deals') / c_page)::integer, c_pages),
        width_bucket((pg_relation_size('public.mt5_orders') / c_page)::integer, c_pages),
        width_bucket((pg_relation_size('public.mt5_trips') / c_page)::integer, c_pages)
    );
BEGIN
    IF current_setting('rubi.planned_for', TRUE) IS DISTINCT FROM v_sizes THEN
        DISCARD PLANS;
        PERFORM set_config('rubi.planned_for', v_sizes, FALSE);
    END IF;
END
$$;
COMMENT ON FUNCTION internal.renew_mt5_plans() IS
'Gives up the plans of the session when deals, orders or trips have doubled.';
REVOKE ALL ON FUNCTION internal.renew_mt5_plans() FROM public;

-- An element stored before with the same bytes is neither checked nor written again, unless it was
-- gone. An element that is equal in another spelling, 1.0 for 1.00, goes on and is found unchanged
-- when it is to be stored. One scan of the key for all tickets takes a third of the time of a
-- look-up for each; without nested loops the tickets meet their elements by a hash. One generic
-- plan serves all accounts, as in internal.refresh_mt5_trips. As JSON nothing but a number lies
-- between two numbers.
CREATE OR REPLACE FUNCTION internal.find_stored_rows(
    p_account_id bigint,
    p_source text,
    p_rows jsonb,
    p_origin text
)
RETURNS bigint[]
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN (
        WITH given AS MATERIALIZED (
            SELECT
                r.n,
                r.value,
                CASE
                    WHEN r.value -> 'ticket' BETWEEN '1' AND '9223372036854775807'
                        THEN (r.value -> 'ticket')::bigint
                END AS ticket
            FROM jsonb_array_elements(p_rows) WITH ORDINALITY AS r (value, n)
        )
        SELECT coalesce(array_agg(g.n), '{}')
        FROM (
            SELECT d.ticket, d.raw
            FROM public.trading_deals AS d
            WHERE p_source = 'deals'
                AND d.account_id = p_account_id
                AND d.ticket = ANY (ARRAY(SELECT g.ticket FROM given AS g))
                AND d.source IN (p_origin, 'api')
                AND d.gone_since IS NULL
            UNION ALL
            SELECT o.ticket, o.raw
            FROM public.mt5_orders AS o
            WHERE p_source = 'orders'
                AND o.account_id = p_account_id
                AND o.ticket = ANY (ARRAY(SELECT g.ticket FROM given AS g))
                AND o.source IN (p_origin, 'api')
                AND o.gone_since IS NULL
        ) AS s
        INNER JOIN given AS g ON s.ticket = g.ticket
        WHERE ROW(s.raw::jsonb)::record *= ROW(g.value)::record
    );
END
$$;
COMMENT ON FUNCTION internal.find_stored_rows(bigint, text, jsonb, text) IS
'Positions in the array, from 1, of the deals or orders that are stored as they are.';
REVOKE ALL ON FUNCTION internal.find_stored_rows(bigint, text, jsonb, text) FROM public;

CREATE OR REPLACE FUNCTION internal.take_mt5_rows(
    p_account_id bigint,
    p_source text,
    p_rows jsonb,
    p_origin text,
    OUT sound jsonb,
    OUT rejected bigint
)
RETURNS record
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_bad bigint[];
BEGIN
    PERFORM internal.renew_mt5_plans();
    sound := internal.leave_out_elements(
        p_rows, internal.find_stored_rows(p_account_id, p_source, p_rows, p_origin)
    );
    rejected := 0;
    IF sound IS NOT NULL THEN
        v_bad := internal.reject_mt5_rows(p_account_id, p_source, sound, p_origin);
        rejected := cardinality(v_bad);
        sound := internal.leave_out_elements(sound, v_bad);
    END IF;
END
$$;
COMMENT ON FUNCTION internal.take_mt5_rows(bigint, text, jsonb, text) IS
'Elements of an array of deals or orders that are to be stored: without stored ones and without bad
ones, which go to mt5_rejects. NULL when none is left; and the number of rejected ones.';
REVOKE ALL ON FUNCTION internal.take_mt5_rows(bigint, text, jsonb, text) FROM public;

CREATE OR REPLACE FUNCTION internal.check_mt5_source(p_source text)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p_source IS NULL OR p_source NOT IN ('api', 'report') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB054',
            MESSAGE = format('source %s is unknown', coalesce(p_source, 'NULL')),
            HINT = 'The source is api or report.';
    END IF;
END
$$;
COMMENT ON FUNCTION internal.check_mt5_source(text) IS
'Raises RB054 when the source is neither api nor report.';
REVOKE ALL ON FUNCTION internal.check_mt5_source(text) FROM public;
