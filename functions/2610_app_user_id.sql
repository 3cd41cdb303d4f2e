-- 2610_app_user_id.sql: the user whose rows a tenant sees.

CALL deploy.become_owner();

-- Only a plain positive number is a user: an unset, empty, signed, spaced or too long setting is
-- none. A closed user is none either, so that no tenant sees or writes the rows.
CREATE OR REPLACE FUNCTION public.app_user_id()
RETURNS bigint
LANGUAGE sql
STABLE
PARALLEL SAFE
SECURITY DEFINER -- the policy of users calls this function
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT g.id
    FROM (
        SELECT CASE
            WHEN current_setting('app.user_id', TRUE) ~ '^[1-9][0-9]{0,17}$'
                THEN current_setting('app.user_id', TRUE)::bigint
        END AS id
    ) AS g
    WHERE NOT EXISTS (
        SELECT FROM public.users AS u
        WHERE u.id = g.id AND u.closed_at IS NOT NULL
    )
$$;
COMMENT ON FUNCTION public.app_user_id() IS
'users.id from the setting app.user_id, which the API sets with SET LOCAL; NULL, which matches no
row, when it is unset, malformed, or of a closed user.';
REVOKE ALL ON FUNCTION public.app_user_id() FROM public;
