-- 2920_find_gateway_account.sql: what a gateway must know of an account before it reads.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION public.find_gateway_account(
    p_user text,
    p_server text,
    p_login text
)
RETURNS TABLE (user_id bigint, account_id bigint, clock text, minutes integer)
LANGUAGE sql
STABLE
PARALLEL SAFE
SECURITY DEFINER -- the gateway's role has no rights on tables
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        u.user_id,
        a.id AS account_id,
        (
            SELECT c.clock
            FROM public.mt5_server_clocks AS c
            WHERE c.server = p_server AND c.valid_from <= public.utc_to_clock(now(), c.clock)
            ORDER BY c.valid_from DESC
            LIMIT 1
        ) AS clock,
        public.mt5_clock_minutes(p_server, now()) AS minutes
    FROM public.find_user(p_user) AS u
    LEFT JOIN public.mt5_accounts AS a
        ON u.user_id = a.user_id AND a.server = p_server AND a.account_number = p_login
$$;
COMMENT ON FUNCTION public.find_gateway_account(text, text, text) IS
'The user of an id, email or username; their account with a login at a server, NULL while there is
none; the server''s clock and how far it is ahead of UTC now, NULL without a rule. No row without
such a user.';
REVOKE ALL ON FUNCTION public.find_gateway_account(text, text, text) FROM public;

CREATE OR REPLACE FUNCTION public.read_gateway_streams(p_account_id bigint)
RETURNS TABLE (
    stream text,
    symbol text,
    stored_as text,
    since_msc bigint,
    read_from_msc bigint,
    read_to_msc bigint
)
LANGUAGE sql
STABLE
PARALLEL SAFE
SECURITY DEFINER -- the gateway's role has no rights on tables
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        s.stream,
        s.symbol,
        s.stored_as,
        s.since_msc,
        w.read_from_msc,
        w.read_to_msc
    FROM (
        SELECT h.stream, '' AS symbol, NULL AS stored_as, NULL::bigint AS since_msc
        FROM (VALUES ('deals'), ('orders')) AS h (stream)
        UNION ALL
        SELECT
            g.timeframe,
            g.symbol,
            coalesce(g.stored_as, public.canonical_symbol(g.account_id, g.symbol)),
            (
                date_part('epoch', g.since)
                + 60 * coalesce(public.mt5_clock_minutes(a.server, g.since), 0)
            )::bigint * 1000
        FROM public.gateway_series AS g
        INNER JOIN public.mt5_accounts AS a ON g.account_id = a.id
        WHERE g.account_id = p_account_id AND g.is_active
    ) AS s
    LEFT JOIN public.gateway_watermarks AS w
        ON w.account_id = p_account_id AND w.stream = s.stream AND w.symbol = s.symbol
    ORDER BY s.stream, s.symbol
$$;
COMMENT ON FUNCTION public.read_gateway_streams(bigint) IS
'An account as a gateway reads it: deals, orders, and series that are asked for, with
their watermarks; times in milliseconds on the server''s clock, NULL where nothing was read yet.';
REVOKE ALL ON FUNCTION public.read_gateway_streams(bigint) FROM public;

-- An order that was placed long ago and is done now may lie before every window that is read again.
CREATE OR REPLACE FUNCTION public.find_waiting_mt5_orders(p_account_id bigint)
RETURNS SETOF bigint
LANGUAGE sql
STABLE
PARALLEL SAFE
SECURITY DEFINER -- the gateway's role has no rights on tables
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT o.ticket
    FROM public.mt5_orders AS o
    WHERE o.account_id = p_account_id
        AND o.source = 'api'
        AND o.state NOT IN (2, 4, 5, 6) -- CANCELED, FILLED, REJECTED, EXPIRED
    ORDER BY o.ticket
$$;
COMMENT ON FUNCTION public.find_waiting_mt5_orders(bigint) IS
'Tickets of an account''s orders that were waiting when last seen.';
REVOKE ALL ON FUNCTION public.find_waiting_mt5_orders(bigint) FROM public;
