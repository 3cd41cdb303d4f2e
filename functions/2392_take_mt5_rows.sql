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

-- An element stored before with the same text is neither checked nor written again, unless it was
-- gone. EXECUTE makes a plan for the actual rows, and LIMIT keeps a look-up by key for each element
-- under any statistics of the table.
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
    v_stored bigint[];
    v_bad bigint[];
BEGIN
    EXECUTE format(
        $select$
            SELECT coalesce(array_agg(e.n), '{}')
            FROM (
                SELECT
                    e.value,
                    e.n,
                    CASE
                        WHEN jsonb_typeof(e.value -> 'ticket') = 'number'
                            AND e.value ->> 'ticket' ~ '^[0-9]{1,18}$'
                            THEN (e.value ->> 'ticket')::bigint
                    END AS ticket
                FROM jsonb_array_elements($2) WITH ORDINALITY AS e (value, n)
            ) AS e
            CROSS JOIN LATERAL (
                SELECT s.raw, s.source, s.gone_since
                FROM public.%I AS s
                WHERE s.account_id = $1 AND s.ticket = e.ticket
                LIMIT 1
            ) AS s
            WHERE s.raw = e.value AND s.source IN ($3, 'api') AND s.gone_since IS NULL
        $select$,
        CASE p_source WHEN 'deals' THEN 'trading_deals' ELSE 'mt5_orders' END
    ) INTO v_stored USING p_account_id, p_rows, p_origin;
    sound := internal.leave_out_elements(p_rows, v_stored);
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
