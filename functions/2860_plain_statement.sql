-- 2860_plain_statement.sql: texts of statements that may be kept.

CALL deploy.become_owner();

-- pg_stat_statements leaves constants in utility statements: a password in ALTER ROLE, for one. Of
-- the branches of the pattern the longest wins. Text is cut at the first mark that no branch
-- explains: a string that a short track_activity_query_size cut, one whose end depends on
-- standard_conforming_strings, a nested comment, a body between dollars.
CREATE OR REPLACE FUNCTION monitoring.plain_statement(p_text text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH tokens AS MATERIALIZED (
        SELECT
            m.parts,
            m.place
        FROM regexp_matches(
            left(p_text, 4000),
            -- kept: names, parameters, single marks; then constants; blanks and comments; the rest
            '("(?:[^"]|"")*"|[^][\x01-\x7f]+|[a-zA-Z_][a-zA-Z0-9_$]*|\$[0-9]+'
            '|[][(){}<>=+*/,;.:?|&%!@#~^`-])'
            '|((?:[bBxXnN]|[uU]&)?''(?:[^''\\]|\\[^'']|'''')*''|[eE]''(?:[^''\\]|\\.|'''')*'''
            '|[0-9][a-zA-Z0-9_.]*|[0-9.]+[eE][+-]?[0-9]+|[.][0-9][a-zA-Z0-9_]*)'
            '|([ \t\r\n\f\v]+|--[^\n]*|/[*](?:[^*/]|[*]+[^*/]|/[^*])*[*]+/)'
            '|(/[*]|.)', 'g'
        ) WITH ORDINALITY AS m (parts, place)
    )

    SELECT left(
        regexp_replace(
            coalesce(string_agg(
                CASE WHEN t.parts[2] IS NOT NULL THEN '?' ELSE coalesce(t.parts[1], ' ') END,
                '' ORDER BY t.place
            ), ''),
            '[?](?: ?, ?[?])+', '?, ...', 'g'
        ), 600
    )
    FROM tokens AS t
    WHERE t.place < coalesce(
            (SELECT min(c.place) FROM tokens AS c WHERE c.parts[4] IS NOT NULL), 5000
        )
$$;
COMMENT ON FUNCTION monitoring.plain_statement(text) IS
'Text of a statement without constants and comments, 600 characters at most; cut where a constant
could begin that can''t be told from the rest.';
REVOKE ALL ON FUNCTION monitoring.plain_statement(text) FROM public;
