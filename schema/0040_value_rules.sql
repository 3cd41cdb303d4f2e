-- 0040_value_rules.sql: functions that say what a value must be, for domains, CHECKs and ingest.

CALL deploy.become_owner();

-- MT5's timeframes, listed once: domains, CHECKs and resampling take the names and lengths from
-- here. Here and not in functions/, because a changed rule would not check the existing rows.
CREATE OR REPLACE FUNCTION public.timeframes()
RETURNS TABLE (name text, length interval)
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
ROWS 21
SET search_path = pg_catalog, pg_temp
AS $$
    VALUES
    ('M1', interval '1 minute'), ('M2', '2 minutes'), ('M3', '3 minutes'), ('M4', '4 minutes'),
    ('M5', '5 minutes'), ('M6', '6 minutes'), ('M10', '10 minutes'), ('M12', '12 minutes'),
    ('M15', '15 minutes'), ('M20', '20 minutes'), ('M30', '30 minutes'), ('H1', '1 hour'),
    ('H2', '2 hours'), ('H3', '3 hours'), ('H4', '4 hours'), ('H6', '6 hours'), ('H8', '8 hours'),
    ('H12', '12 hours'), ('D1', '1 day'), ('W1', '7 days'), ('MN1', '1 month')
$$;
COMMENT ON FUNCTION public.timeframes() IS
'MT5''s 21 timeframes from short to long: name, and length of a bar. Days, weeks and months are
those of the calendar.';
REVOKE ALL ON FUNCTION public.timeframes() FROM public;

CREATE OR REPLACE FUNCTION public.timeframe_divides(p_from text, p_to text)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(bool_and(
        f.length < t.length
        AND CASE
            -- a day has whole bars of all shorter timeframes, a month no whole weeks
            WHEN t.length >= interval '1 day' THEN t.name <> 'MN1' OR f.name <> 'W1'
            ELSE mod(extract(epoch FROM t.length), extract(epoch FROM f.length)) = 0
        END
    ), FALSE)
    FROM public.timeframes() AS f
    CROSS JOIN public.timeframes() AS t
    WHERE f.name = p_from AND t.name = p_to
$$;
COMMENT ON FUNCTION public.timeframe_divides(text, text) IS
'Whether a bar of the second timeframe is made of whole bars of the first; FALSE for names that MT5
does not have.';
REVOKE ALL ON FUNCTION public.timeframe_divides(text, text) FROM public;

-- Rules that domains, CHECKs of hypertables and ingest share. A body after RETURN is bound to its
-- operators when it is made and becomes part of the expression that calls it: no call is paid for.
-- Under the database's collation the pattern takes three times as long.
DO $$
DECLARE
    c_untrimmed CONSTANT text := '^$|^[ \u00a0]|[ \u00a0]$|[\u0001-\u001f\u007f-\u009f]';
    -- the same the other way round, from one end to the other: no text takes longer
    c_trimmed CONSTANT text := '^[^\u0001-\u0020\u007f-\u00a0]'
        '([^\u0001-\u001f\u007f-\u009f]*[^\u0001-\u0020\u007f-\u00a0])?$';
BEGIN
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION public.is_timeframe(p_name text) RETURNS boolean'
        ' LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN p_name IN (%s)',
        (SELECT string_agg(quote_literal(t.name), ', ') FROM public.timeframes() AS t)
    );
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION public.is_long_timeframe(p_name text) RETURNS boolean'
        ' LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN p_name IN (%s)',
        (
            SELECT string_agg(quote_literal(t.name), ', ')
            FROM public.timeframes() AS t
            WHERE t.length >= interval '1 day'
        )
    );
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION public.is_trimmed(p_text text) RETURNS boolean'
        ' LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN p_text COLLATE "C" ~ %L',
        c_trimmed
    );
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION public.has_untrimmed(p_texts jsonb) RETURNS boolean'
        ' LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN p_texts @? %L',
        '$[*] ? (@ like_regex "' || c_untrimmed || '")'
    );
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION public.are_timeframes(p_names jsonb) RETURNS boolean'
        ' LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN p_names <@ %L',
        (SELECT jsonb_agg(t.name) FROM public.timeframes() AS t)
    );
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION public.is_filled(p_text text) RETURNS boolean'
        ' LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN p_text COLLATE "C" ~ %L',
        '[^ \u00a0\u0001-\u001f\u007f-\u009f]'
    );
END
$$;
COMMENT ON FUNCTION public.are_timeframes(jsonb) IS
'Whether a JSON array has only names of MT5''s timeframes.';
COMMENT ON FUNCTION public.has_untrimmed(jsonb) IS
'Whether a JSON array has a text that public.is_trimmed() refuses.';
COMMENT ON FUNCTION public.is_timeframe(text) IS 'Whether MT5 has a timeframe of this name.';
COMMENT ON FUNCTION public.is_long_timeframe(text) IS
'Whether a name is a timeframe of days, weeks or months: D1, W1 or MN1.';
COMMENT ON FUNCTION public.is_trimmed(text) IS
'Whether a text is not empty, has no blank at its ends and no control character.';
COMMENT ON FUNCTION public.is_filled(text) IS
'Whether a text has more than blanks and control characters.';
REVOKE ALL ON FUNCTION
public.is_timeframe(text), public.is_long_timeframe(text),
public.is_trimmed(text), public.is_filled(text), public.are_timeframes(jsonb),
public.has_untrimmed(jsonb)
FROM public;
