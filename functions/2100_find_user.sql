-- 2100_find_user.sql: the user that a person names.

CALL deploy.become_owner();

-- In this order everywhere: a user who takes the id or the email of another for a username is not
-- found by it, so that neither trades nor a report of the other come to them.
CREATE OR REPLACE FUNCTION public.find_user(p_user text)
RETURNS TABLE (user_id bigint, username text)
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT u.id AS user_id, u.username
    FROM public.users AS u
    WHERE u.id::text = p_user
        OR lower(u.email) = lower(p_user)
        OR lower(u.username) = lower(p_user)
    ORDER BY u.id::text = p_user DESC, lower(u.email) = lower(p_user) DESC
    LIMIT 1
$$;
COMMENT ON FUNCTION public.find_user(text) IS
'The user with this id, else with this email, else with this username, case not regarded; no row
where there is none.';
REVOKE ALL ON FUNCTION public.find_user(text) FROM public;
