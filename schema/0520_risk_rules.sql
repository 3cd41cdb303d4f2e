-- 0520_risk_rules.sql: the rules that an account or strategy trades under, and how they stand.

CALL deploy.become_owner();

-- A rule is never changed, only ended: what was measured under it stays what it was.
CREATE TABLE IF NOT EXISTS public.risk_rules (
    id bigint GENERATED ALWAYS AS IDENTITY,
    user_id bigint NOT NULL,
    account_id bigint,
    strategy_id bigint,
    name public.filled_text NOT NULL,
    kind public.short_text NOT NULL,
    amount public.figure NOT NULL,
    unit public.short_text NOT NULL,
    basis public.short_text DEFAULT 'balance' NOT NULL,
    initial_capital public.trading_amount,
    lock_level public.trading_amount,
    least_day_profit public.trading_amount,
    clock public.server_clock NOT NULL,
    touching_breaks boolean DEFAULT FALSE NOT NULL,
    is_final boolean DEFAULT TRUE NOT NULL,
    warning_share public.confidence DEFAULT 0.80 NOT NULL,
    max_age interval DEFAULT '5 minutes',
    valid_from public.event_time DEFAULT now() NOT NULL,
    valid_to timestamptz DEFAULT 'infinity' NOT NULL,
    CONSTRAINT risk_rules_pkey PRIMARY KEY (id),
    CONSTRAINT risk_rules_id_user_id_key UNIQUE (id, user_id),
    CONSTRAINT risk_rules_user_id_fkey FOREIGN KEY (user_id)
    REFERENCES public.users (id) ON DELETE CASCADE,
    CONSTRAINT risk_rules_account_id_user_id_fkey FOREIGN KEY (account_id, user_id)
    REFERENCES public.mt5_accounts (id, user_id) ON DELETE CASCADE,
    CONSTRAINT risk_rules_strategy_id_user_id_fkey FOREIGN KEY (strategy_id, user_id)
    REFERENCES public.trading_strategies (id, user_id) ON DELETE CASCADE,
    CONSTRAINT risk_rules_account_or_strategy_check CHECK (
        num_nonnulls(account_id, strategy_id) = 1
    ),
    -- a strategy has positions, but neither equity nor trading days of its own
    CONSTRAINT risk_rules_kind_of_strategy_check CHECK (
        strategy_id IS NULL OR kind IN ('maximum_lots', 'maximum_positions', 'no_weekend')
    ),
    CONSTRAINT risk_rules_kind_known_check CHECK (
        kind IN (
            'daily_loss', 'maximum_loss', 'trailing_day', 'trailing', 'profit_target',
            'trading_days', 'consistency', 'maximum_lots', 'maximum_positions', 'no_weekend'
        )
    ),
    CONSTRAINT risk_rules_unit_of_kind_check CHECK (
        CASE kind
            WHEN 'daily_loss' THEN unit IN ('money', 'percent_of_initial', 'percent_of_basis')
            WHEN 'trading_days' THEN unit = 'days'
            WHEN 'consistency' THEN unit = 'percent_of_profit'
            WHEN 'maximum_lots' THEN unit = 'lots'
            WHEN 'maximum_positions' THEN unit = 'positions'
            WHEN 'no_weekend' THEN unit = 'hours'
            ELSE unit IN ('money', 'percent_of_initial')
        END
    ),
    CONSTRAINT risk_rules_amount_range_check CHECK (
        amount >= 0
        AND (amount > 0 OR kind = 'no_weekend')
        AND (
            unit NOT IN ('percent_of_initial', 'percent_of_basis', 'percent_of_profit')
            OR amount <= 100
            OR kind = 'profit_target'
        )
        AND (unit <> 'hours' OR amount <= 120)
        AND (unit NOT IN ('days', 'positions') OR amount = trunc(amount))
    ),
    CONSTRAINT risk_rules_basis_known_check CHECK (basis IN ('balance', 'equity', 'higher')),
    CONSTRAINT risk_rules_initial_capital_given_check CHECK (
        CASE
            WHEN initial_capital IS NULL
                THEN
                    unit <> 'percent_of_initial'
                    AND kind NOT IN ('maximum_loss', 'trailing_day', 'trailing', 'profit_target')
            ELSE initial_capital > 0
        END
    ),
    CONSTRAINT risk_rules_lock_level_of_trailing_check CHECK (
        lock_level IS NULL OR kind IN ('trailing_day', 'trailing')
    ),
    CONSTRAINT risk_rules_least_day_profit_of_days_check CHECK (
        least_day_profit IS NULL OR (kind = 'trading_days' AND least_day_profit > 0)
    ),
    CONSTRAINT risk_rules_max_age_range_check CHECK (
        max_age > interval '0' AND max_age <= interval '31 days'
    ),
    CONSTRAINT risk_rules_valid_to_after_from_check CHECK (valid_to > valid_from)
);
CREATE INDEX IF NOT EXISTS idx_risk_rules_account ON public.risk_rules (account_id);
COMMENT ON INDEX public.idx_risk_rules_account IS
'Rules of an account, at each of its heartbeats and pictures.';
CREATE INDEX IF NOT EXISTS idx_risk_rules_strategy ON public.risk_rules (strategy_id);
COMMENT ON INDEX public.idx_risk_rules_strategy IS
'Rules of a strategy, for may_trade() and its own deletion.';
CREATE INDEX IF NOT EXISTS idx_risk_rules_user ON public.risk_rules (user_id);
COMMENT ON INDEX public.idx_risk_rules_user IS 'Rules of a user.';

COMMENT ON TABLE public.risk_rules IS
'Rules that an account or a strategy trades under. A change is a new rule: the old one is ended.';
COMMENT ON COLUMN public.risk_rules.id IS 'Surrogate key.';
COMMENT ON COLUMN public.risk_rules.user_id IS 'Owner.';
COMMENT ON COLUMN public.risk_rules.account_id IS 'Account the rule binds; NULL for a strategy''s.';
COMMENT ON COLUMN public.risk_rules.strategy_id IS
'Strategy the rule binds, over all accounts of its user; NULL for an account''s.';
COMMENT ON COLUMN public.risk_rules.name IS 'What the rule is called.';
COMMENT ON COLUMN public.risk_rules.kind IS
'daily_loss: equity stays above the day''s opening less the amount. maximum_loss: above the initial
capital less the amount. trailing_day: above the highest opening of any day less the amount.
trailing: above the highest value of any heartbeat less the amount. profit_target: the basis reaches
the initial capital and the amount. trading_days: at least so many days. consistency: the best day
has at most that share of the profit. maximum_lots and maximum_positions: open together.
no_weekend: nothing is open from the amount of hours before Saturday until Monday.';
COMMENT ON COLUMN public.risk_rules.amount IS 'Limit of the rule, in its unit.';
COMMENT ON COLUMN public.risk_rules.unit IS
'money (account currency), percent_of_initial (capital), percent_of_basis (the day''s opening),
percent_of_profit, lots, positions, days or hours, as the kind allows.';
COMMENT ON COLUMN public.risk_rules.basis IS
'What counts as the opening of a day, the highest value or the target: balance, equity or the higher
of both. A loss is measured by equity always.';
COMMENT ON COLUMN public.risk_rules.initial_capital IS
'Capital the account began with, account currency; NULL where the rule needs none.';
COMMENT ON COLUMN public.risk_rules.lock_level IS
'Level that a trailing limit never rises above, account currency; NULL: it rises for ever.';
COMMENT ON COLUMN public.risk_rules.least_day_profit IS
'Net result of a day that counts, account currency; NULL: each day on which a trade was opened.';
COMMENT ON COLUMN public.risk_rules.clock IS 'Clock by which its days begin.';
COMMENT ON COLUMN public.risk_rules.touching_breaks IS
'Whether the rule is broken by equity at the limit, not only below.';
COMMENT ON COLUMN public.risk_rules.is_final IS
'Whether a breach forbids trading for good; FALSE: until the day ends.';
COMMENT ON COLUMN public.risk_rules.warning_share IS
'Share of the limit that is used up when a warning is given, 0 to 1.';
COMMENT ON COLUMN public.risk_rules.max_age IS
'Age from which on the latest heartbeat no longer says how the rule stands; NULL: none is too old.';
COMMENT ON COLUMN public.risk_rules.valid_from IS 'Since when the rule holds, included, UTC.';
COMMENT ON COLUMN public.risk_rules.valid_to IS
'Until when the rule holds, not included, UTC; infinity while it holds. What is past stays.';

-- What the next heartbeat needs to know of those before.
CREATE TABLE IF NOT EXISTS public.risk_states (
    rule_id bigint NOT NULL,
    user_id bigint NOT NULL,
    day date NOT NULL,
    opening public.trading_amount NOT NULL,
    highest public.trading_amount NOT NULL,
    worst_room public.figure NOT NULL,
    worst_at public.event_time NOT NULL,
    seen_at public.event_time NOT NULL,
    CONSTRAINT risk_states_pkey PRIMARY KEY (rule_id),
    CONSTRAINT risk_states_day_finite_check CHECK (isfinite(day)),
    CONSTRAINT risk_states_rule_id_user_id_fkey FOREIGN KEY (rule_id, user_id)
    REFERENCES public.risk_rules (id, user_id) ON DELETE CASCADE
) WITH (fillfactor = 50);
COMMENT ON TABLE public.risk_states IS
'Where each rule on equity stands: opening of its day, highest value, least room so far. risk_state
shows the whole.';
COMMENT ON COLUMN public.risk_states.rule_id IS 'Rule.';
COMMENT ON COLUMN public.risk_states.user_id IS 'Owner of the rule.';
COMMENT ON COLUMN public.risk_states.day IS 'Day of the latest heartbeat, by the rule''s clock.';
COMMENT ON COLUMN public.risk_states.opening IS
'What the day opened with, by the rule''s basis: the last snapshot before it, else the initial
capital, else the first heartbeat; account currency.';
COMMENT ON COLUMN public.risk_states.highest IS
'Highest value of the basis that counts for a trailing limit, account currency.';
COMMENT ON COLUMN public.risk_states.worst_room IS
'Least room that was left, account currency; below 0 when the rule was broken.';
COMMENT ON COLUMN public.risk_states.worst_at IS 'When that was, UTC.';
COMMENT ON COLUMN public.risk_states.seen_at IS
'Latest snapshot that was measured, UTC; older ones that come later are not.';

CREATE TABLE IF NOT EXISTS public.risk_breaches (
    id bigint GENERATED ALWAYS AS IDENTITY,
    rule_id bigint NOT NULL,
    user_id bigint NOT NULL,
    account_id bigint NOT NULL,
    day date NOT NULL,
    event public.short_text NOT NULL,
    level public.figure NOT NULL,
    first_at public.event_time NOT NULL,
    first_value public.figure NOT NULL,
    first_evidence public.json_document NOT NULL,
    worst_at public.event_time NOT NULL,
    worst_value public.figure NOT NULL,
    worst_evidence public.json_document NOT NULL,
    CONSTRAINT risk_breaches_pkey PRIMARY KEY (id),
    -- a rule warns, is broken and is reached once a day, a strategy's in whichever account
    CONSTRAINT risk_breaches_rule_id_event_day_key UNIQUE (rule_id, event, day),
    CONSTRAINT risk_breaches_rule_id_user_id_fkey FOREIGN KEY (rule_id, user_id)
    REFERENCES public.risk_rules (id, user_id),
    CONSTRAINT risk_breaches_account_id_user_id_fkey FOREIGN KEY (account_id, user_id)
    REFERENCES public.mt5_accounts (id, user_id),
    CONSTRAINT risk_breaches_day_finite_check CHECK (isfinite(day)),
    CONSTRAINT risk_breaches_event_known_check CHECK (event IN ('warning', 'breach', 'reached'))
);
CREATE INDEX IF NOT EXISTS idx_risk_breaches_account ON public.risk_breaches (account_id, first_at);
COMMENT ON INDEX public.idx_risk_breaches_account IS
'Breaches of an account over time, and its own deletion.';
CREATE INDEX IF NOT EXISTS idx_risk_breaches_user ON public.risk_breaches (user_id);
COMMENT ON INDEX public.idx_risk_breaches_user IS 'Breaches of a user.';
COMMENT ON TABLE public.risk_breaches IS
'What rules said and when: a warning, a breach, a target reached. Written by the database alone;
of a day''s breach only the worst moment is moved on.';
COMMENT ON COLUMN public.risk_breaches.id IS 'Surrogate key, in the order of finding.';
COMMENT ON COLUMN public.risk_breaches.rule_id IS 'Rule.';
COMMENT ON COLUMN public.risk_breaches.user_id IS 'Owner.';
COMMENT ON COLUMN public.risk_breaches.account_id IS
'Account it happened in; of a strategy''s rule the first one that had a position then.';
COMMENT ON COLUMN public.risk_breaches.day IS 'Day by the rule''s clock.';
COMMENT ON COLUMN public.risk_breaches.event IS 'warning, breach or reached (a profit target).';
COMMENT ON COLUMN public.risk_breaches.level IS
'Limit at that moment: account currency, lots or positions.';
COMMENT ON COLUMN public.risk_breaches.first_at IS 'First moment of the day that showed it, UTC.';
COMMENT ON COLUMN public.risk_breaches.first_value IS
'Equity, lots or positions then; the basis of a target.';
COMMENT ON COLUMN public.risk_breaches.first_evidence IS
'What showed it: session_id and timestamp of the snapshot, or the tickets of the positions.';
COMMENT ON COLUMN public.risk_breaches.worst_at IS 'Worst moment of the day, UTC.';
COMMENT ON COLUMN public.risk_breaches.worst_value IS 'The same value then.';
COMMENT ON COLUMN public.risk_breaches.worst_evidence IS 'What showed that.';

CREATE TABLE IF NOT EXISTS public.risk_templates (
    template public.filled_text NOT NULL,
    kind public.short_text NOT NULL,
    amount public.figure NOT NULL,
    unit public.short_text NOT NULL,
    basis public.short_text DEFAULT 'balance' NOT NULL,
    lock_percent public.figure,
    clock public.server_clock NOT NULL,
    touching_breaks boolean DEFAULT FALSE NOT NULL,
    is_final boolean DEFAULT TRUE NOT NULL,
    source public.short_text NOT NULL,
    CONSTRAINT risk_templates_pkey PRIMARY KEY (template, kind)
);
COMMENT ON TABLE public.risk_templates IS
'Sets of rules as their publishers state them; apply_risk_template() makes rules of an account.';
COMMENT ON COLUMN public.risk_templates.template IS 'Name of the set.';
COMMENT ON COLUMN public.risk_templates.kind IS 'Kind of the rule, as in risk_rules.';
COMMENT ON COLUMN public.risk_templates.amount IS 'Limit, in its unit.';
COMMENT ON COLUMN public.risk_templates.unit IS 'Unit, as in risk_rules.';
COMMENT ON COLUMN public.risk_templates.basis IS 'Basis, as in risk_rules.';
COMMENT ON COLUMN public.risk_templates.lock_percent IS
'Level that a trailing limit never rises above, percent of the initial capital; NULL for none.';
COMMENT ON COLUMN public.risk_templates.clock IS 'Clock by which its days begin.';
COMMENT ON COLUMN public.risk_templates.touching_breaks IS
'Whether equity at the limit breaks the rule.';
COMMENT ON COLUMN public.risk_templates.is_final IS 'Whether a breach forbids trading for good.';
COMMENT ON COLUMN public.risk_templates.source IS
'Where the rule is published, and when it was read.';
