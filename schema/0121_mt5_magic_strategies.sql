-- 0121_mt5_magic_strategies.sql: the strategy that a magic number stands for.

CALL deploy.become_owner();

-- A row holds until the next one of the same account and magic begins; periods can't overlap.
CREATE TABLE IF NOT EXISTS public.mt5_magic_strategies (
    account_id bigint NOT NULL,
    user_id bigint NOT NULL,
    magic bigint NOT NULL,
    valid_from timestamptz DEFAULT '-infinity' NOT NULL,
    strategy_id bigint,
    CONSTRAINT mt5_magic_strategies_pkey PRIMARY KEY (account_id, magic, valid_from),
    -- -infinity: the row holds for all time before the next one
    CONSTRAINT mt5_magic_strategies_valid_from_not_infinite_check CHECK (valid_from < 'infinity'),
    CONSTRAINT mt5_magic_strategies_account_id_user_id_fkey FOREIGN KEY (account_id, user_id)
    REFERENCES public.mt5_accounts (id, user_id) ON DELETE CASCADE,
    CONSTRAINT mt5_magic_strategies_strategy_id_user_id_fkey FOREIGN KEY (strategy_id, user_id)
    REFERENCES public.trading_strategies (id, user_id) ON DELETE SET NULL (strategy_id)
);
COMMENT ON TABLE public.mt5_magic_strategies IS
'Strategy that trades under a magic number of an account, and the beginning. Trips and their orders
follow a change.';
COMMENT ON COLUMN public.mt5_magic_strategies.account_id IS 'Trading account.';
COMMENT ON COLUMN public.mt5_magic_strategies.user_id IS 'Owner of account and strategy.';
COMMENT ON COLUMN public.mt5_magic_strategies.magic IS 'Magic number of the opening deal.';
COMMENT ON COLUMN public.mt5_magic_strategies.valid_from IS
'First moment of opening that the row holds for, included, UTC; the row holds until the next one.';
COMMENT ON COLUMN public.mt5_magic_strategies.strategy_id IS
'Strategy of the same user; NULL for none from then on.';
