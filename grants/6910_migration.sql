-- 6910_migration.sql: who reads what moved in.
-- needs: grants/6010_roles.sql, schema/0910_migration.sql
-- transaction: yes

CALL deploy.become_owner();

-- Rejects and leftovers hold rows of users: dumps have them, monitoring does not.
GRANT USAGE ON SCHEMA migration TO rubi_backup, rubi_monitor;
GRANT SELECT ON migration.progress, migration.proofs TO rubi_monitor;
GRANT SELECT ON migration.progress, migration.rejects, migration.leftovers, migration.proofs
TO rubi_backup;
GRANT SELECT ON SEQUENCE migration.proofs_id_seq TO rubi_backup;
