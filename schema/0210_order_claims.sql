-- 0210_order_claims.sql: order numbers that running transactions are about to give.
-- needs: schema/0030_schemas.sql
-- transaction: yes

CALL deploy.become_owner();

-- The API's order without an account and the one that is made from deals have different unique
-- keys, so neither transaction would wait for the other, and both would store the order. A claim is
-- inserted and deleted in one breath: until the transaction ends, another that claims the same
-- number waits for it. An advisory lock would do the same and could be held by any role, also one
-- that reads only; nothing is lost when a crash empties the table, hence UNLOGGED.
CREATE UNLOGGED TABLE IF NOT EXISTS internal.order_claims (
    user_id bigint NOT NULL,
    mt5_order_id public.key_text NOT NULL,
    CONSTRAINT order_claims_pkey PRIMARY KEY (user_id, mt5_order_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

COMMENT ON TABLE internal.order_claims IS
'Order numbers that running transactions are about to give; empty to everybody.';
COMMENT ON COLUMN internal.order_claims.user_id IS 'Owner of the order.';
COMMENT ON COLUMN internal.order_claims.mt5_order_id IS 'Order ticket of MT5.';
