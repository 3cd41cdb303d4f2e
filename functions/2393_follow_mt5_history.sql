-- 2393_follow_mt5_history.sql: what a terminal no longer returns is marked, not deleted.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION internal.check_mt5_window(
    p_source text,
    p_from_msc bigint,
    p_to_msc bigint
)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF num_nonnulls(p_from_msc, p_to_msc) = 1
        OR p_from_msc >= p_to_msc
        OR (p_from_msc IS NOT NULL AND p_source <> 'api')
    THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB059',
            MESSAGE = format(
                'rows of %s can''t be all from %s to %s', p_source,
                coalesce(p_from_msc::text, 'NULL'), coalesce(p_to_msc::text, 'NULL')
            ),
            HINT = 'Give both ends of the window the terminal was asked for, in milliseconds of '
                'the server''s clock and in this order, or neither. A report has none.';
    END IF;
END
$$;
COMMENT ON FUNCTION internal.check_mt5_window(text, bigint, bigint) IS
'Raises RB059 when a window has one end, none between its ends, or is one of a report.';
REVOKE ALL ON FUNCTION internal.check_mt5_window(text, bigint, bigint) FROM public;

-- A terminal that has just logged in, or lost its server, returns a part of the history or none of
-- it without an error, and a picture may arrive after a later one. So one reading proves nothing:
-- what two of them lack, 10 minutes apart and none between them that has it, is gone since the
-- first. A wrong mark costs nothing but a line in a list: sums keep what is gone, and the next
-- reading that has it takes the mark away.
CREATE OR REPLACE FUNCTION internal.follow_mt5_history(
    p_account_id bigint,
    p_kind text,
    p_rows jsonb,
    p_from_msc bigint,
    p_to_msc bigint
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c_patience CONSTANT interval := '10 minutes';
    c_table CONSTANT text := CASE p_kind WHEN 'deals' THEN 'trading_deals' ELSE 'mt5_orders' END;
    -- MT5 doesn't say by which of its times it selects an order: both lie in the window. The index
    -- has UTC, from which no server's clock is a day away.
    c_window CONSTANT text := CASE p_kind
        WHEN 'deals' THEN
            's.time_msc >= $3 AND s.time_msc < $4'
            ' AND s.executed_at >= to_timestamp($3 / 1000.0) - interval ''1 day'''
            ' AND s.executed_at < to_timestamp($4 / 1000.0) + interval ''1 day'''
        ELSE
            's.time_setup_msc >= $3 AND s.time_setup_msc < $4'
            ' AND s.time_done_msc >= $3 AND s.time_done_msc < $4'
            ' AND s.setup_at >= to_timestamp($3 / 1000.0) - interval ''1 day'''
            ' AND s.setup_at < to_timestamp($4 / 1000.0) + interval ''1 day'''
    END;
    v_returned numeric[];
    v_missing bigint[];
    v_marked bigint;
BEGIN
    IF p_from_msc IS NULL AND NOT EXISTS (
        SELECT FROM internal.mt5_missed AS m
        WHERE m.account_id = p_account_id AND m.kind = p_kind
    ) THEN
        RETURN;
    END IF;
    SELECT coalesce(array_agg(t.ticket::numeric), '{}') INTO v_returned
    FROM jsonb_path_query(p_rows, '$[*].ticket ? (@.type() == "number")') AS t (ticket);
    DELETE FROM internal.mt5_missed AS m
    USING unnest(v_returned) AS r (ticket)
    WHERE m.account_id = p_account_id AND m.kind = p_kind AND m.ticket = r.ticket;

    -- an element without a ticket may be any of those that seem to be missing
    IF p_from_msc IS NULL OR cardinality(v_returned) < jsonb_array_length(p_rows) THEN
        RETURN;
    END IF;
    EXECUTE format(
        $missing$
            SELECT array_agg(s.ticket)
            FROM public.%I AS s
            WHERE s.account_id = $1
                AND s.source = 'api'
                AND s.gone_since IS NULL
                AND %s
                AND NOT EXISTS (
                    SELECT FROM unnest($2) AS r (ticket) WHERE r.ticket = s.ticket::numeric
                )
        $missing$, c_table, c_window
    ) INTO v_missing USING p_account_id, v_returned, p_from_msc, p_to_msc;
    IF v_missing IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO internal.mt5_missed (account_id, kind, ticket)
    SELECT p_account_id, p_kind, u.ticket
    FROM unnest(v_missing) AS u (ticket)
    ON CONFLICT ON CONSTRAINT mt5_missed_pkey DO NOTHING;
    EXECUTE format(
        $mark$
            WITH gone AS (
                DELETE FROM internal.mt5_missed AS m
                USING unnest($3) AS u (ticket)
                WHERE m.account_id = $1
                    AND m.kind = $2
                    AND m.ticket = u.ticket
                    AND m.missed_at <= now() - $4
                RETURNING m.ticket, m.missed_at
            )
            UPDATE public.%I AS s
            SET gone_since = g.missed_at
            FROM gone AS g
            WHERE s.account_id = $1 AND s.ticket = g.ticket
        $mark$, c_table
    ) USING p_account_id, p_kind, v_missing, c_patience;
    GET DIAGNOSTICS v_marked = ROW_COUNT;
    IF p_kind = 'deals' AND v_marked > 0 THEN
        PERFORM internal.explain_archived_deals(p_account_id);
    END IF;
END
$$;
COMMENT ON FUNCTION internal.follow_mt5_history(bigint, text, jsonb, bigint, bigint) IS
'Sets gone_since of stored deals or orders within a window of the server''s clock that the terminal
did not return, once a second reading 10 minutes later lacks them, too, and explains the deal that
the broker left in their place.';
REVOKE ALL ON FUNCTION internal.follow_mt5_history(bigint, text, jsonb, bigint, bigint) FROM public;
