-- 0381_proved_positions.sql: positions whose trips were proved, and the rows the proof was of.

CALL deploy.become_owner();

CREATE TABLE IF NOT EXISTS internal.proved_positions (
    account_id bigint NOT NULL,
    position_id public.mt5_ticket NOT NULL,
    marks bigint[] NOT NULL,
    CONSTRAINT proved_positions_pkey PRIMARY KEY (account_id, position_id),
    CONSTRAINT proved_positions_account_id_fkey FOREIGN KEY (account_id)
    REFERENCES public.mt5_accounts (id) ON DELETE CASCADE
);

COMMENT ON TABLE internal.proved_positions IS
'Positions whose trips and orders were what their deals say, until one of their rows changes.';
COMMENT ON COLUMN internal.proved_positions.account_id IS 'Trading account.';
COMMENT ON COLUMN internal.proved_positions.position_id IS 'Position, for life.';
COMMENT ON COLUMN internal.proved_positions.marks IS
'The versions of the rows that were proved, see internal.position_marks.';
