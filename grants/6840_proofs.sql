-- 6840_proofs.sql: rights to see the state of the proofs.

CALL deploy.become_owner();

GRANT SELECT ON
monitoring.balance_states, monitoring.balance_violations, monitoring.double_account_violations,
monitoring.double_order_violations, monitoring.open_volume_violations,
monitoring.order_without_deal_violations, monitoring.position_volumes, monitoring.proofs_line,
monitoring.strategy_counter_violations, monitoring.vanished_position_violations
TO rubi_monitor, rubi_backup;

-- This view counts and names no user; the views that name rows stay with rubi_monitor.
GRANT SELECT ON monitoring.proofs TO rubi_app, rubi_readonly, rubi_monitor, rubi_backup;
