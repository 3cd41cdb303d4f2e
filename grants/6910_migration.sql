-- 6910_migration.sql: rights on moved-in data.

CALL deploy.become_owner();

-- Rejects and leftovers hold rows of users: dumps have them, monitoring does not.
GRANT SELECT ON migration.given_ids, migration.leftovers, migration.rejects TO rubi_backup;
GRANT SELECT ON migration.progress, migration.proofs TO rubi_monitor, rubi_backup;
GRANT SELECT ON SEQUENCE migration.proofs_id_seq TO rubi_backup;
