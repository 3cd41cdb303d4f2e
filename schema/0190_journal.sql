-- 0190_journal.sql: what a trader writes of trades, orders and days: notes, tags, kept rules.

CALL deploy.become_owner();

-- A trip is named by its key and not by a foreign key: trips and the orders made from deals are
-- made again, and a note stays. What is not found any more is shown by the view journal.
CREATE TABLE IF NOT EXISTS public.journal_entries (
    id bigint GENERATED ALWAYS AS IDENTITY,
    user_id bigint NOT NULL,
    account_id bigint,
    position_id public.mt5_ticket,
    leg integer,
    order_ticket public.mt5_ticket,
    day date,
    clock public.server_clock,
    note public.long_text,
    created_at public.event_time DEFAULT now() NOT NULL,
    updated_at public.event_time DEFAULT now() NOT NULL,
    CONSTRAINT journal_entries_pkey PRIMARY KEY (id),
    CONSTRAINT journal_entries_id_user_id_key UNIQUE (id, user_id),
    -- one entry of a thing
    CONSTRAINT journal_entries_subject_key UNIQUE NULLS NOT DISTINCT (
        user_id, account_id, position_id, leg, order_ticket, day
    ),
    CONSTRAINT journal_entries_user_id_fkey FOREIGN KEY (user_id)
    REFERENCES public.users (id) ON DELETE CASCADE,
    CONSTRAINT journal_entries_account_id_user_id_fkey FOREIGN KEY (account_id, user_id)
    REFERENCES public.mt5_accounts (id, user_id) ON DELETE CASCADE,
    CONSTRAINT journal_entries_one_subject_check CHECK (
        num_nonnulls(position_id, order_ticket, day) = 1
    ),
    CONSTRAINT journal_entries_account_given_check CHECK (
        account_id IS NOT NULL OR day IS NOT NULL
    ),
    CONSTRAINT journal_entries_leg_of_position_check CHECK (
        num_nulls(position_id, leg) IN (0, 2)
    ),
    CONSTRAINT journal_entries_leg_positive_check CHECK (leg > 0),
    CONSTRAINT journal_entries_clock_of_day_check CHECK (num_nulls(day, clock) IN (0, 2)),
    CONSTRAINT journal_entries_day_range_check CHECK (
        day BETWEEN '1990-01-01' AND '9999-12-31'
    )
);
CREATE INDEX IF NOT EXISTS idx_journal_entries_account ON public.journal_entries (account_id);
COMMENT ON INDEX public.idx_journal_entries_account IS
'Entries of an account, and its own deletion.';
COMMENT ON TABLE public.journal_entries IS
'Journal: one entry of a trip, an order or a day, which holds a note, tags and answers.';
COMMENT ON COLUMN public.journal_entries.id IS 'Surrogate key.';
COMMENT ON COLUMN public.journal_entries.user_id IS 'Owner.';
COMMENT ON COLUMN public.journal_entries.account_id IS
'Trading account; NULL for a day over all accounts of the user.';
COMMENT ON COLUMN public.journal_entries.position_id IS
'Position of the trip, as in mt5_trips; NULL for an order or a day.';
COMMENT ON COLUMN public.journal_entries.leg IS 'Leg of the position, as in mt5_trips.';
COMMENT ON COLUMN public.journal_entries.order_ticket IS
'Order ticket of MT5; NULL for a trip or a day. An order that opened a trade stands for the trade.';
COMMENT ON COLUMN public.journal_entries.day IS 'Day by its clock; NULL for a trip or an order.';
COMMENT ON COLUMN public.journal_entries.clock IS 'Clock by which the day begins and ends.';
COMMENT ON COLUMN public.journal_entries.note IS 'The user''s own words; NULL for none.';
COMMENT ON COLUMN public.journal_entries.created_at IS 'Time when the row was made, UTC.';
COMMENT ON COLUMN public.journal_entries.updated_at IS
'Time of the row''s last change, UTC; kept by a trigger.';

CREATE TABLE IF NOT EXISTS public.journal_tags (
    id bigint GENERATED ALWAYS AS IDENTITY,
    user_id bigint NOT NULL,
    kind public.short_text NOT NULL,
    name public.filled_text NOT NULL,
    CONSTRAINT journal_tags_pkey PRIMARY KEY (id),
    CONSTRAINT journal_tags_id_user_id_key UNIQUE (id, user_id),
    CONSTRAINT journal_tags_user_id_fkey FOREIGN KEY (user_id)
    REFERENCES public.users (id) ON DELETE CASCADE,
    CONSTRAINT journal_tags_kind_known_check CHECK (
        kind IN ('setup', 'mistake', 'market', 'emotion')
    )
);
-- FOMO and fomo are one tag
CREATE UNIQUE INDEX IF NOT EXISTS journal_tags_user_id_kind_name_lower_key
ON public.journal_tags (user_id, kind, lower(name));
COMMENT ON INDEX public.journal_tags_user_id_kind_name_lower_key IS
'A tag is unique within its kind without regard to case; tags of a user.';
COMMENT ON TABLE public.journal_tags IS 'Tags of the journal, in the user''s own words.';
COMMENT ON COLUMN public.journal_tags.id IS 'Surrogate key.';
COMMENT ON COLUMN public.journal_tags.user_id IS 'Owner.';
COMMENT ON COLUMN public.journal_tags.kind IS 'setup, mistake, market or emotion.';
COMMENT ON COLUMN public.journal_tags.name IS 'What the user calls it.';

CREATE TABLE IF NOT EXISTS public.journal_entry_tags (
    id bigint GENERATED ALWAYS AS IDENTITY,
    user_id bigint NOT NULL,
    entry_id bigint NOT NULL,
    tag_id bigint NOT NULL,
    CONSTRAINT journal_entry_tags_pkey PRIMARY KEY (id),
    CONSTRAINT journal_entry_tags_entry_id_tag_id_key UNIQUE (entry_id, tag_id),
    CONSTRAINT journal_entry_tags_entry_id_user_id_fkey FOREIGN KEY (entry_id, user_id)
    REFERENCES public.journal_entries (id, user_id) ON DELETE CASCADE,
    CONSTRAINT journal_entry_tags_tag_id_user_id_fkey FOREIGN KEY (tag_id, user_id)
    REFERENCES public.journal_tags (id, user_id) ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS idx_journal_entry_tags_tag ON public.journal_entry_tags (tag_id);
COMMENT ON INDEX public.idx_journal_entry_tags_tag IS
'Entries that have a tag, and its own deletion.';
COMMENT ON TABLE public.journal_entry_tags IS 'Tags that are set on entries.';
COMMENT ON COLUMN public.journal_entry_tags.id IS 'Surrogate key, for the audit trail.';
COMMENT ON COLUMN public.journal_entry_tags.user_id IS 'Owner of both.';
COMMENT ON COLUMN public.journal_entry_tags.entry_id IS 'Entry.';
COMMENT ON COLUMN public.journal_entry_tags.tag_id IS 'Tag.';

CREATE TABLE IF NOT EXISTS public.journal_questions (
    id bigint GENERATED ALWAYS AS IDENTITY,
    user_id bigint NOT NULL,
    strategy_id bigint,
    place integer DEFAULT 1 NOT NULL,
    question public.filled_text NOT NULL,
    retired_at public.event_time,
    CONSTRAINT journal_questions_pkey PRIMARY KEY (id),
    CONSTRAINT journal_questions_id_user_id_key UNIQUE (id, user_id),
    CONSTRAINT journal_questions_user_id_strategy_id_question_key
    UNIQUE NULLS NOT DISTINCT (user_id, strategy_id, question),
    CONSTRAINT journal_questions_user_id_fkey FOREIGN KEY (user_id)
    REFERENCES public.users (id) ON DELETE CASCADE,
    CONSTRAINT journal_questions_strategy_id_user_id_fkey FOREIGN KEY (strategy_id, user_id)
    REFERENCES public.trading_strategies (id, user_id) ON DELETE CASCADE,
    CONSTRAINT journal_questions_place_positive_check CHECK (place > 0)
);
CREATE INDEX IF NOT EXISTS idx_journal_questions_strategy
ON public.journal_questions (strategy_id);
COMMENT ON INDEX public.idx_journal_questions_strategy IS
'Questions of a strategy, and its own deletion.';
COMMENT ON TABLE public.journal_questions IS
'Checklists: rules that a user wants to keep, each as a question that yes answers as kept.';
COMMENT ON COLUMN public.journal_questions.id IS 'Surrogate key.';
COMMENT ON COLUMN public.journal_questions.user_id IS 'Owner.';
COMMENT ON COLUMN public.journal_questions.strategy_id IS
'Strategy the question belongs to; NULL for all trades.';
COMMENT ON COLUMN public.journal_questions.place IS 'Place in the list, from 1.';
COMMENT ON COLUMN public.journal_questions.question IS 'Question, in the user''s own words.';
COMMENT ON COLUMN public.journal_questions.retired_at IS
'Since when the question is not asked any more, UTC; its answers stay. NULL while it is asked.';

CREATE TABLE IF NOT EXISTS public.journal_answers (
    id bigint GENERATED ALWAYS AS IDENTITY,
    user_id bigint NOT NULL,
    entry_id bigint NOT NULL,
    question_id bigint NOT NULL,
    is_kept boolean NOT NULL,
    CONSTRAINT journal_answers_pkey PRIMARY KEY (id),
    CONSTRAINT journal_answers_entry_id_question_id_key UNIQUE (entry_id, question_id),
    CONSTRAINT journal_answers_entry_id_user_id_fkey FOREIGN KEY (entry_id, user_id)
    REFERENCES public.journal_entries (id, user_id) ON DELETE CASCADE,
    CONSTRAINT journal_answers_question_id_user_id_fkey FOREIGN KEY (question_id, user_id)
    REFERENCES public.journal_questions (id, user_id) ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS idx_journal_answers_question ON public.journal_answers (question_id);
COMMENT ON INDEX public.idx_journal_answers_question IS
'Answers to a question, and its own deletion.';
COMMENT ON TABLE public.journal_answers IS
'Answers to the questions of a checklist, on the entry of a trade or a day.';
COMMENT ON COLUMN public.journal_answers.id IS 'Surrogate key, for the audit trail.';
COMMENT ON COLUMN public.journal_answers.user_id IS 'Owner of both.';
COMMENT ON COLUMN public.journal_answers.entry_id IS 'Entry.';
COMMENT ON COLUMN public.journal_answers.question_id IS 'Question.';
COMMENT ON COLUMN public.journal_answers.is_kept IS 'Whether the rule was kept; FALSE: broken.';
