-- 6630_close_user.sql: rights to close a user.

CALL deploy.become_owner();

GRANT EXECUTE ON FUNCTION public.close_user(bigint) TO rubi_app;
