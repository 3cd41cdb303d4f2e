-- 0370_mt5_events.sql: what changed on the accounts, a hypertable.

CALL deploy.become_owner();

-- No foreign key: a new chunk would lock mt5_accounts, which every ingest locks. Triggers alone
-- write here (functions/2372_event_triggers.sql). era and xact_id put events into an order in which
-- none can still appear before one that was read (functions/2373_events_after.sql).
CREATE TABLE IF NOT EXISTS public.mt5_events (
    account_id bigint NOT NULL,
    id bigint NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    seen_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    taken_at public.event_time NOT NULL,
    began_at public.event_time DEFAULT now() NOT NULL,
    xact_id bigint DEFAULT pg_current_xact_id()::text::bigint NOT NULL,
    era integer NOT NULL,
    kind public.event_kind NOT NULL,
    what public.event_what NOT NULL,
    old_values public.event_values,
    new_values public.event_values,
    CONSTRAINT mt5_events_pkey PRIMARY KEY (account_id, kind, id, number, seen_at),
    CONSTRAINT mt5_events_values_present_check CHECK (
        old_values IS NOT NULL OR new_values IS NOT NULL
    ),
    -- the owner makes chunks ahead by a row that is deleted
    CONSTRAINT mt5_events_seen_at_range_check CHECK (
        seen_at BETWEEN '2000-01-01 00:00:00+00' AND now() + interval '24 hours'
        OR (
            current_setting('rubi.makes_chunks', TRUE) IS NOT DISTINCT FROM 'on'
            AND pg_has_role('rubi_owner', 'MEMBER')
        )
    )
);

-- 500 accounts with 100 events a day are 350,000 events, about 150 MB, in a chunk.
SELECT create_hypertable(
    'public.mt5_events', 'seen_at',
    chunk_time_interval => interval '7 days',
    if_not_exists => TRUE,
    create_default_indexes => FALSE
);

COMMENT ON TABLE public.mt5_events IS
'What changed on the accounts: positions, orders, deals and the account itself, from what to what;
never a price, result, equity or margin that moves with the market. Hypertable, 7 days a chunk.';
COMMENT ON COLUMN public.mt5_events.account_id IS 'Trading account.';
COMMENT ON COLUMN public.mt5_events.id IS
'What it happened to: identifier of the position, ticket of the order or deal, account_id of the
account.';
COMMENT ON COLUMN public.mt5_events.number IS
'Order of the events of one thing; not that in which all events can be read, see events_after.';
COMMENT ON COLUMN public.mt5_events.seen_at IS 'When the database wrote it, UTC.';
COMMENT ON COLUMN public.mt5_events.taken_at IS
'When the terminal showed it, UTC: the time of the picture for positions and accounts, seen_at for
the others.';
COMMENT ON COLUMN public.mt5_events.began_at IS
'When the transaction that wrote it began, UTC: no event that comes later in events_after was seen
before.';
COMMENT ON COLUMN public.mt5_events.xact_id IS
'Transaction that wrote it, as its era numbers them.';
COMMENT ON COLUMN public.mt5_events.era IS
'Which life of the database numbered the transaction: row of internal.mt5_event_eras.';
COMMENT ON COLUMN public.mt5_events.kind IS 'account, deal, order or position.';
COMMENT ON COLUMN public.mt5_events.what IS
'new: first seen. changed. done: an order is filled, cancelled, rejected or expired. closed: a
position has left. cancelled: MT5 took a deal back. gone, returned: the terminal no longer shows a
deal or order, or does again. deleted: a deal or order was deleted here.';
COMMENT ON COLUMN public.mt5_events.old_values IS
'What changed, before, by the names of the thing''s table; NULL when first seen. All that is told of
it when closed or deleted.';
COMMENT ON COLUMN public.mt5_events.new_values IS
'What changed, after. When first seen, all that is told of it: without prices and results that move,
of a deal the fill alone, of an order that was done then the outcome. NULL when closed or deleted.';
