-- 0030_schemas.sql: schemas beside public, where the API's tables live.

CALL deploy.become_owner();

CREATE SCHEMA IF NOT EXISTS monitoring;
COMMENT ON SCHEMA monitoring IS
'Views for DBAs: sizes, activity, health, and proofs that money adds up.';

CREATE SCHEMA IF NOT EXISTS internal;
COMMENT ON SCHEMA internal IS 'Working state of triggers, for its owner alone.';
