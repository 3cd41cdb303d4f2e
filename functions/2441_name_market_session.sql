-- 2441_name_market_session.sql: which markets are open at a moment.

CALL deploy.become_owner();

-- Each market by its own clock and weekday. The foreign-exchange week, Sunday 17:00 to Friday 17:00
-- in New York, holds all these hours, whichever side has changed its clock: Tokyo's Monday begins
-- at 19:00 or 20:00 of New York's Sunday.
-- Body bound at creation in place of a search_path: the planner takes it into the query.
CREATE OR REPLACE FUNCTION public.name_market_session(p_at timestamptz)
RETURNS text
LANGUAGE sql
STABLE
PARALLEL SAFE
BEGIN ATOMIC
    SELECT concat_ws(
        ', ',
        CASE
            WHEN
                extract(ISODOW FROM p_at AT TIME ZONE 'Asia/Tokyo') <= 5
                AND extract(HOUR FROM p_at AT TIME ZONE 'Asia/Tokyo') BETWEEN 9 AND 17
                THEN 'Tokyo'
        END,
        CASE
            WHEN
                extract(ISODOW FROM p_at AT TIME ZONE 'Europe/London') <= 5
                AND extract(HOUR FROM p_at AT TIME ZONE 'Europe/London') BETWEEN 8 AND 16
                THEN 'London'
        END,
        CASE
            WHEN
                extract(ISODOW FROM p_at AT TIME ZONE 'America/New_York') <= 5
                AND extract(HOUR FROM p_at AT TIME ZONE 'America/New_York') BETWEEN 8 AND 16
                THEN 'New York'
        END
    );
END;
COMMENT ON FUNCTION public.name_market_session(timestamptz) IS
'Markets open at a moment: Tokyo 9 to 18, London and New York 8 to 17, local time, Monday to Friday;
several while they overlap, empty when all are closed, as on weekends.';
REVOKE ALL ON FUNCTION public.name_market_session(timestamptz) FROM public;
