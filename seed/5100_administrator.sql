-- 5100_administrator.sql: the platform's administrator, locked.

CALL deploy.become_owner();

-- The account has no password until somebody sets its hash; this file never touches it again:
--     UPDATE users SET hashed_password = '<bcrypt or argon2 hash>' WHERE username = 'admin';
INSERT INTO public.users (email, username, hashed_password, is_superuser)
VALUES ('admin@rubi-studio.com', 'admin', '!', TRUE)
ON CONFLICT DO NOTHING;
