-- 6915_migration_given_ids.sql: dumps have the ids that rows of CSV files got here.
-- needs: grants/6010_roles.sql, schema/0915_migration_given_ids.sql
-- transaction: yes

CALL deploy.become_owner();

GRANT SELECT ON migration.given_ids TO rubi_backup;
