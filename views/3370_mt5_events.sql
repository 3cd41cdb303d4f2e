-- 3370_mt5_events.sql: the events of one user.

CALL deploy.become_owner();

-- Not security_invoker: row security does not reach the chunks of a hypertable, so tenants have no
-- right on the table; the barrier keeps functions of a query from seeing rows before the filter.
CREATE OR REPLACE VIEW public.my_mt5_events
WITH (security_barrier = TRUE) AS
SELECT
    e.account_id,
    e.kind,
    e.what,
    e.id,
    e.number,
    e.seen_at,
    e.taken_at,
    e.began_at,
    e.era,
    e.xact_id,
    e.old_values,
    e.new_values
FROM public.mt5_events AS e
WHERE
    e.account_id IN (
        SELECT a.id
        FROM public.mt5_accounts AS a
        WHERE a.user_id = (SELECT public.app_user_id())
    );

COMMENT ON VIEW public.my_mt5_events IS
'mt5_events of the user named by app.user_id, for reading.';
COMMENT ON COLUMN public.my_mt5_events.account_id IS 'Trading account.';
COMMENT ON COLUMN public.my_mt5_events.kind IS 'account, deal, order or position.';
COMMENT ON COLUMN public.my_mt5_events.what IS 'What happened, as in mt5_events.';
COMMENT ON COLUMN public.my_mt5_events.id IS
'Identifier of the position, ticket of the order or deal, account_id of the account.';
COMMENT ON COLUMN public.my_mt5_events.number IS 'Order of the events of one thing.';
COMMENT ON COLUMN public.my_mt5_events.seen_at IS 'When the database wrote it, UTC.';
COMMENT ON COLUMN public.my_mt5_events.taken_at IS 'When the terminal showed it, UTC.';
COMMENT ON COLUMN public.my_mt5_events.began_at IS
'When the transaction that wrote it began, UTC.';
COMMENT ON COLUMN public.my_mt5_events.era IS
'Which life of the database numbered the transaction.';
COMMENT ON COLUMN public.my_mt5_events.xact_id IS 'Transaction that wrote it.';
COMMENT ON COLUMN public.my_mt5_events.old_values IS 'What changed, before.';
COMMENT ON COLUMN public.my_mt5_events.new_values IS 'What changed, after.';
