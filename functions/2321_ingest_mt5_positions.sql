-- 2321_ingest_mt5_positions.sql: takes the answer of positions_get, a full picture.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION internal.identifiers_of_rejects(p_rows jsonb, p_bad bigint[])
RETURNS bigint[]
LANGUAGE plpgsql -- its plan is kept
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (
        SELECT coalesce(
            array_agg(
                CASE
                    WHEN jsonb_typeof(e.value -> 'identifier') = 'number'
                        AND e.value -> 'identifier' <= '9223372036854775807'
                        AND e.value ->> 'identifier' ~ '^[1-9][0-9]{0,18}$'
                        THEN (e.value ->> 'identifier')::bigint
                END
            ),
            '{}'
        )
        FROM unnest(p_bad) AS b (n)
        CROSS JOIN LATERAL (SELECT p_rows -> (b.n - 1)::integer) AS e (value)
    );
END
$$;
COMMENT ON FUNCTION internal.identifiers_of_rejects(jsonb, bigint[]) IS
'Identifiers of the elements at some places of an array, from 1; NULL for each that is unreadable.';
REVOKE ALL ON FUNCTION internal.identifiers_of_rejects(jsonb, bigint[]) FROM public;

-- Rows that the API wrote have no identifier: their ticket names the position.
CREATE OR REPLACE FUNCTION internal.name_mt5_positions(
    p_account_id bigint,
    p_identifiers bigint[],
    p_tickets text[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM public.trading_positions AS p
        WHERE p.account_id = p_account_id AND p.identifier IS NULL
    ) THEN
        RETURN;
    END IF;
    FOR v_round IN 1..2 LOOP
        UPDATE public.trading_positions AS p
        SET identifier = u.identifier
        FROM unnest(p_identifiers, p_tickets) AS u (identifier, ticket)
        WHERE p.account_id = p_account_id
            AND p.identifier IS NULL
            AND p.ticket = CASE v_round WHEN 1 THEN u.ticket ELSE u.identifier::text END
            AND NOT EXISTS (
                SELECT FROM public.trading_positions AS x
                WHERE x.account_id = p_account_id AND x.identifier = u.identifier
            );
    END LOOP;
END
$$;
COMMENT ON FUNCTION internal.name_mt5_positions(bigint, bigint[], text[]) IS
'Gives rows that the API wrote the identifier of the open position that their ticket names.';
REVOKE ALL ON FUNCTION internal.name_mt5_positions(bigint, bigint[], text[]) FROM public;

-- A position that is missing from the picture has closed. An element that could not be read closes
-- no position: the position of a rejected element stays as it is, and when its identifier is
-- unreadable none closes. A ticket may pass from one position to another: the position that loses
-- the ticket is inserted again later.
CREATE OR REPLACE FUNCTION internal.close_mt5_positions(
    p_account_id bigint,
    p_identifiers bigint[],
    p_tickets text[],
    p_kept bigint[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM public.trading_positions AS p
    WHERE p.account_id = p_account_id
        AND (
            (
                array_position(p_kept, NULL) IS NULL
                AND CASE
                    WHEN p.identifier IS NULL THEN p.ticket <> ALL (p_kept::text[])
                    ELSE p.identifier NOT IN (
                        SELECT o.id FROM unnest(p_identifiers || p_kept) AS o (id)
                    )
                END
            )
            OR (
                p.ticket IN (SELECT t.ticket FROM unnest(p_tickets) AS t (ticket))
                AND (
                    p.identifier IS NULL
                    OR (p.identifier, p.ticket) NOT IN (
                        SELECT u.identifier, u.ticket
                        FROM unnest(p_identifiers, p_tickets) AS u (identifier, ticket)
                    )
                )
            )
        );
END
$$;
COMMENT ON FUNCTION internal.close_mt5_positions(bigint, bigint[], text[], bigint[]) IS
'Deletes positions that are missing from the picture and not kept; none when one kept is NULL.';
REVOKE ALL ON FUNCTION internal.close_mt5_positions(bigint, bigint[], text[], bigint[]) FROM public;

-- Nearly every change is of price and result: columns that are not written are not checked again.
CREATE OR REPLACE FUNCTION internal.store_mt5_positions(
    p_account public.mt5_accounts,
    p_session_id uuid,
    p_sound jsonb,
    OUT inserted bigint,
    OUT updated bigint
)
RETURNS record
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    WITH good AS MATERIALIZED (
        SELECT DISTINCT ON (r.identifier)
            r.*,
            CASE r.type WHEN 0 THEN 'BUY' ELSE 'SELL' END AS side,
            coalesce(nullif(r.time_msc, 0), r.time * 1000) AS msc,
            k.id AS stored_id,
            k.raw AS stored_raw,
            k.is_same_trade
        FROM ROWS FROM (
            jsonb_to_recordset(p_sound) AS (
                ticket bigint, time bigint, time_msc bigint, time_update bigint,
                time_update_msc bigint, type integer, magic bigint, identifier bigint,
                reason integer, volume numeric, price_open numeric, sl numeric, tp numeric,
                price_current numeric, swap numeric, profit numeric, symbol text, comment text,
                external_id text
            ),
            jsonb_array_elements(p_sound)
        ) WITH ORDINALITY AS r
        LEFT JOIN LATERAL (
            SELECT
                p.id,
                p.raw,
                (
                    p.ticket, p.symbol, p.type, p.volume, p.open_price, p.sl, p.tp, p.time,
                    p.time_msc, p.magic, p.reason, p.comment, p.external_id
                ) IS NOT DISTINCT FROM (
                    r.ticket::text, r.symbol, CASE r.type WHEN 0 THEN 'BUY' ELSE 'SELL' END,
                    round(r.volume, 8), round(r.price_open, 8), nullif(round(r.sl, 8), 0),
                    nullif(round(r.tp, 8), 0), r.time,
                    coalesce(nullif(r.time_msc, 0), r.time * 1000), r.magic, r.reason,
                    r.comment, r.external_id
                ) AS is_same_trade
            FROM public.trading_positions AS p
            WHERE p.account_id = p_account.id AND p.identifier = r.identifier
            LIMIT 1
        ) AS k ON TRUE
        ORDER BY r.identifier, r.ordinality DESC
    ),
    moved AS (
        UPDATE public.trading_positions AS p
        SET
            current_price = g.price_current,
            profit = g.profit,
            swap = coalesce(g.swap, 0),
            time_update = g.time_update,
            time_update_msc = g.time_update_msc,
            raw = g.value
        FROM good AS g
        WHERE p.id = g.stored_id AND g.is_same_trade AND g.stored_raw IS DISTINCT FROM g.value
        RETURNING p.id
    ),
    changed AS (
        UPDATE public.trading_positions AS p
        SET
            (
                ticket, symbol, type, volume, open_price, current_price, sl, tp, profit, swap,
                time, time_msc, time_update, time_update_msc, magic, reason, comment, external_id,
                raw
            ) = (
                g.ticket::text, g.symbol, g.side, g.volume, g.price_open, g.price_current,
                nullif(g.sl, 0), nullif(g.tp, 0), g.profit, coalesce(g.swap, 0), g.time, g.msc,
                g.time_update, g.time_update_msc, g.magic, g.reason, g.comment, g.external_id,
                g.value
            ),
            -- the clock is asked only for a new time
            open_time = CASE
                WHEN p.time_msc = g.msc THEN p.open_time
                ELSE (SELECT t.utc FROM public.mt5_server_time(p_account.server, g.msc) AS t)
            END
        FROM good AS g
        WHERE p.id = g.stored_id AND NOT g.is_same_trade
        RETURNING p.id
    ),
    opened AS (
        INSERT INTO public.trading_positions (
            session_id, account_id, identifier, ticket, symbol, type, volume, open_price,
            current_price, sl, tp, profit, swap, open_time, time, time_msc, time_update,
            time_update_msc, magic, reason, comment, external_id, raw
        )
        SELECT
            p_session_id, p_account.id, g.identifier, g.ticket::text, g.symbol, g.side, g.volume,
            g.price_open, g.price_current, nullif(g.sl, 0), nullif(g.tp, 0), g.profit,
            coalesce(g.swap, 0), t.utc, g.time, g.msc, g.time_update, g.time_update_msc, g.magic,
            g.reason, g.comment, g.external_id, g.value
        FROM good AS g
        CROSS JOIN LATERAL public.mt5_server_time(p_account.server, g.msc) AS t
        WHERE g.stored_id IS NULL
        ON CONFLICT (ticket, account_id) DO NOTHING
        RETURNING id
    )
    SELECT
        (SELECT count(*) FROM opened),
        (SELECT count(*) FROM moved) + (SELECT count(*) FROM changed)
    INTO inserted, updated;
END
$$;
COMMENT ON FUNCTION internal.store_mt5_positions(public.mt5_accounts, uuid, jsonb) IS
'Stores the open positions of a picture; answers the numbers of new and of changed ones.';
REVOKE ALL ON FUNCTION internal.store_mt5_positions(public.mt5_accounts, uuid, jsonb) FROM public;

CREATE OR REPLACE FUNCTION public.ingest_mt5_positions(
    p_account_id bigint,
    p_rows jsonb,
    p_taken_at timestamptz DEFAULT now()
)
RETURNS TABLE (inserted bigint, updated bigint, unchanged bigint, rejected bigint)
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the gateway's role has no rights on tables
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_total bigint := internal.check_mt5_rows(p_rows);
    v_account public.mt5_accounts;
    v_session_id uuid;
    v_bad bigint[];
    v_sound jsonb;
    v_identifiers bigint[];
    v_tickets text[];
BEGIN
    PERFORM internal.check_mt5_taken_at(p_taken_at);
    v_account := internal.lock_open_mt5_account(p_account_id);
    inserted := 0;
    updated := 0;
    rejected := 0;

    INSERT INTO public.mt5_account_states AS s (account_id, positions_taken_at)
    VALUES (p_account_id, p_taken_at)
    ON CONFLICT ON CONSTRAINT mt5_account_states_pkey DO UPDATE
    SET positions_taken_at = excluded.positions_taken_at
    WHERE s.positions_taken_at IS NULL OR s.positions_taken_at <= excluded.positions_taken_at;
    IF NOT FOUND THEN
        unchanged := v_total;
        RETURN NEXT;
        RETURN;
    END IF;

    v_bad := internal.reject_mt5_rows(p_account_id, 'positions', p_rows, 'api');
    rejected := cardinality(v_bad);
    v_sound := coalesce(internal.leave_out_elements(p_rows, v_bad), '[]');
    v_session_id := internal.open_mt5_session(v_account, p_taken_at);
    SELECT
        coalesce(array_agg((e.value ->> 'identifier')::bigint), '{}'),
        coalesce(array_agg(e.value ->> 'ticket'), '{}')
    INTO v_identifiers, v_tickets
    FROM jsonb_array_elements(v_sound) AS e (value);

    PERFORM set_config('rubi.taken_at', p_taken_at::text, TRUE); -- for internal.note_position
    PERFORM internal.name_mt5_positions(p_account_id, v_identifiers, v_tickets);
    PERFORM internal.close_mt5_positions(
        p_account_id, v_identifiers, v_tickets, internal.identifiers_of_rejects(p_rows, v_bad)
    );
    SELECT s.inserted, s.updated INTO inserted, updated
    FROM internal.store_mt5_positions(v_account, v_session_id, v_sound) AS s;
    PERFORM set_config('rubi.taken_at', '', TRUE);

    -- after a reconnect the positions belong to the live session
    UPDATE public.trading_positions AS p
    SET session_id = v_session_id
    WHERE p.account_id = p_account_id AND p.session_id <> v_session_id;
    PERFORM internal.judge_positions(ARRAY[p_account_id], p_taken_at);
    unchanged := v_total - inserted - updated - rejected;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION public.ingest_mt5_positions(bigint, jsonb, timestamptz) IS
'Takes the array of all open positions as positions_get returned it: missing positions have closed
and leave trading_positions, [] closes all. p_taken_at is the time of the picture: a picture older
than the stored one changes nothing. Answers the numbers of elements inserted, updated, unchanged
and rejected; the rejected are in mt5_rejects. Raises RB024 and RB050 to RB053.';
REVOKE ALL ON FUNCTION public.ingest_mt5_positions(bigint, jsonb, timestamptz) FROM public;
