-- 2610_app_user_id.sql: whose rows a tenant sees.
-- needs: schema/0010_deploy.sql
-- transaction: yes

CALL deploy.become_owner();

-- Anything but a plain positive number is nobody: unset, empty, signed, spaced, or too long.
CREATE OR REPLACE FUNCTION public.app_user_id()
RETURNS bigint
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN current_setting('app.user_id', TRUE) ~ '^[1-9][0-9]{0,17}$'
            THEN current_setting('app.user_id', TRUE)::bigint
    END
$$;
COMMENT ON FUNCTION public.app_user_id() IS
'users.id from the setting app.user_id, which the API sets with SET LOCAL; NULL, which matches no
row, when it is unset or malformed.';
REVOKE ALL ON FUNCTION public.app_user_id() FROM public;
