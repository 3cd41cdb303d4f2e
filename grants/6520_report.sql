-- 6520_report.sql: who may see whether the proofs hold, as the report says.
-- needs: grants/6010_roles.sql, views/3900_monitoring_proofs.sql
-- transaction: yes

CALL deploy.become_owner();

-- It counts and names nobody. The views it names stay with rubi_monitor.
GRANT USAGE ON SCHEMA monitoring TO rubi_app, rubi_readonly;
GRANT SELECT ON monitoring.proofs TO rubi_app, rubi_readonly;
