-- session.sql: settings that a role or a database may have otherwise, and that the files are
-- written for. install.sql, bundles and the runner begin with them. Without standard strings a
-- pattern would lose its backslashes in silence, and CHECKs refuse every password.
SET timezone = 'UTC';
SET statement_timeout = 0;
SET search_path = public;
SET standard_conforming_strings = on;
SET default_transaction_isolation = 'read committed';
SET default_transaction_read_only = off;
