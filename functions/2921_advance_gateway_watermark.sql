-- 2921_advance_gateway_watermark.sql: notes how far a gateway has read.

CALL deploy.become_owner();

-- A window that does not touch the span leaves a gap between them: the span stays, and the next
-- reading begins at its end once more. FALSE says so. A span never shrinks: a parcel that was
-- delayed in a spool changes nothing.
CREATE OR REPLACE FUNCTION public.advance_gateway_watermark(
    p_account_id bigint,
    p_stream text,
    p_symbol text,
    p_from_msc bigint,
    p_to_msc bigint
)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the gateway's role has no rights on tables
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM internal.lock_open_mt5_account(p_account_id);
    INSERT INTO public.gateway_watermarks AS w (
        account_id, stream, symbol, read_from_msc, read_to_msc
    )
    VALUES (p_account_id, p_stream, p_symbol, p_from_msc, p_to_msc)
    ON CONFLICT ON CONSTRAINT gateway_watermarks_pkey DO UPDATE
    SET
        read_from_msc = least(w.read_from_msc, excluded.read_from_msc),
        read_to_msc = greatest(w.read_to_msc, excluded.read_to_msc),
        read_at = now()
    WHERE excluded.read_from_msc <= w.read_to_msc AND excluded.read_to_msc >= w.read_from_msc;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION public.advance_gateway_watermark(bigint, text, text, bigint, bigint) IS
'Adds a window, milliseconds on the server''s clock, to what was read of an account''s stream;
FALSE, and nothing changes, where it does not touch what was read before. Raises RB024 and RB051.';
REVOKE ALL ON FUNCTION public.advance_gateway_watermark(bigint, text, text, bigint, bigint)
FROM public;
