-- 3842_proofs.sql: all proofs that figures kept twice agree.

CALL deploy.become_owner();

-- Not security_invoker: the view counts over all users for rubi_monitor, who may not read their
-- rows.
CREATE OR REPLACE VIEW monitoring.proofs AS
SELECT
    'strategy counters' AS name,
    count(*) AS violations,
    'strategies whose total_trades, winning_trades or total_profit differ from their closed orders'
        AS meaning,
    'monitoring.strategy_counter_violations' AS listed_by
FROM monitoring.strategy_counter_violations
UNION ALL
SELECT
    'balances' AS name,
    count(*) AS violations,
    'accounts whose balance is not the opening balance plus their deals and what is explained'
        AS meaning,
    'monitoring.balance_violations' AS listed_by
FROM monitoring.balance_violations
UNION ALL
SELECT
    'open volumes' AS name,
    count(*) AS violations,
    'open positions whose volume is not the sum of their deals' AS meaning,
    'monitoring.open_volume_violations' AS listed_by
FROM monitoring.open_volume_violations
UNION ALL
SELECT
    'vanished positions' AS name,
    count(*) AS violations,
    'positions that closed although their deals leave a volume' AS meaning,
    'monitoring.vanished_position_violations' AS listed_by
FROM monitoring.vanished_position_violations
UNION ALL
SELECT
    'orders without deals' AS name,
    count(*) AS violations,
    'orders that were filled and have no deal' AS meaning,
    'monitoring.order_without_deal_violations' AS listed_by
FROM monitoring.order_without_deal_violations
UNION ALL
SELECT
    'double orders' AS name,
    count(*) AS violations,
    'orders stored once without an account and once with one' AS meaning,
    'monitoring.double_order_violations' AS listed_by
FROM monitoring.double_order_violations
UNION ALL
SELECT
    'double accounts' AS name,
    count(*) AS violations,
    'accounts stored again under another name of their trade server' AS meaning,
    'monitoring.double_account_violations' AS listed_by
FROM monitoring.double_account_violations
UNION ALL
SELECT
    'trips' AS name,
    count(*) AS violations,
    'trips, their orders and balance operations that differ from the deals' AS meaning,
    'monitoring.trip_violations' AS listed_by
FROM monitoring.trip_violations;

COMMENT ON VIEW monitoring.proofs IS
'One row a proof. violations is 0 when all is well; listed_by names the view with the rows.';
COMMENT ON COLUMN monitoring.proofs.name IS 'Name of the proof.';
COMMENT ON COLUMN monitoring.proofs.violations IS 'Rows that contradict the proof.';
COMMENT ON COLUMN monitoring.proofs.meaning IS 'Meaning of a violation.';
COMMENT ON COLUMN monitoring.proofs.listed_by IS 'View that lists the rows.';

-- Not security_invoker: like the view it reads.
CREATE OR REPLACE VIEW monitoring.proofs_line AS
SELECT
    sum(p.violations) = 0 AS is_well,
    CASE
        WHEN sum(p.violations) = 0 THEN format('all %s proofs hold', count(*))
        ELSE string_agg(
            format('%s: %s, see %s', p.name, p.violations, p.listed_by), '; ' ORDER BY p.name
        ) FILTER (WHERE p.violations > 0)
    END
    || coalesce(
        (
            SELECT format('; %s balances pending', count(*))
            FROM monitoring.balance_states AS b
            WHERE b.state = 'pending'
            HAVING count(*) > 0
        ), ''
    ) AS line
FROM monitoring.proofs AS p;

COMMENT ON VIEW monitoring.proofs_line IS
'One row: whether all proofs hold, and a line for people.';
COMMENT ON COLUMN monitoring.proofs_line.is_well IS 'TRUE when no row contradicts a proof.';
COMMENT ON COLUMN monitoring.proofs_line.line IS
'Failing proofs and the views to look at, or the words that all hold.';
