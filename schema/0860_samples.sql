-- 0860_samples.sql: samples of the sessions and of the server's figures, for a look back.

CALL deploy.become_owner();

-- Combinations of role, event and statement repeat all day: a sample holds their numbers only.
CREATE TABLE IF NOT EXISTS monitoring.sampled_causes (
    id integer GENERATED ALWAYS AS IDENTITY,
    role_name public.key_text NOT NULL,
    event public.key_text NOT NULL,
    statement_id bigint NOT NULL,
    CONSTRAINT sampled_causes_pkey PRIMARY KEY (id),
    CONSTRAINT sampled_causes_role_name_event_statement_id_key
    UNIQUE (role_name, event, statement_id)
);
COMMENT ON TABLE monitoring.sampled_causes IS
'One row a combination of role, wait event and statement that a sample saw. Written by
monitoring.take_sample().';
COMMENT ON COLUMN monitoring.sampled_causes.id IS 'Number in monitoring.samples.';
COMMENT ON COLUMN monitoring.sampled_causes.role_name IS
'Role of the session, or kind of the server''s process.';
COMMENT ON COLUMN monitoring.sampled_causes.event IS
'Wait as type:event; CPU without a wait; or idle in transaction.';
COMMENT ON COLUMN monitoring.sampled_causes.statement_id IS
'Number of the statement in monitoring.sampled_statements; 0 for none.';

CREATE TABLE IF NOT EXISTS monitoring.sampled_statements (
    statement_id bigint NOT NULL,
    body public.short_text NOT NULL,
    seen_on date DEFAULT current_date NOT NULL,
    CONSTRAINT sampled_statements_pkey PRIMARY KEY (statement_id),
    CONSTRAINT sampled_statements_seen_on_finite_check CHECK (isfinite(seen_on))
);
COMMENT ON TABLE monitoring.sampled_statements IS
'Texts of statements without constants and comments, cut. Written by monitoring.take_sample().';
COMMENT ON COLUMN monitoring.sampled_statements.statement_id IS
'PostgreSQL''s query identifier; without pg_stat_statements a hash of body.';
COMMENT ON COLUMN monitoring.sampled_statements.body IS
'Text as monitoring.plain_statement() leaves it: no constant, no comment.';
COMMENT ON COLUMN monitoring.sampled_statements.seen_on IS 'Day of the first sample, UTC.';

-- Three tables are a ring, a day each: the next one is emptied by TRUNCATE while this one is
-- written, and a lock on it may be waited for all day.
CREATE TABLE IF NOT EXISTS monitoring.samples_0 (
    taken_at public.event_time NOT NULL,
    sessions smallint NOT NULL,
    took_ms integer NOT NULL,
    causes integer[] NOT NULL,
    counts smallint[] NOT NULL,
    ages_ms integer[] NOT NULL,
    CONSTRAINT samples_0_pkey PRIMARY KEY (taken_at)
);
COMMENT ON TABLE monitoring.samples_0 IS
'Ring of three days: one row a sample. Read monitoring.samples.';
COMMENT ON COLUMN monitoring.samples_0.taken_at IS 'Time of the sample, UTC.';
COMMENT ON COLUMN monitoring.samples_0.sessions IS 'Client sessions of this database.';
COMMENT ON COLUMN monitoring.samples_0.took_ms IS 'Duration of the sample itself, milliseconds.';
COMMENT ON COLUMN monitoring.samples_0.causes IS
'Numbers in monitoring.sampled_causes of the sessions that did something.';
COMMENT ON COLUMN monitoring.samples_0.counts IS 'Sessions with each cause.';
COMMENT ON COLUMN monitoring.samples_0.ages_ms IS
'Longest time of a statement or idle state with each cause, milliseconds.';
CREATE TABLE IF NOT EXISTS monitoring.samples_1 (LIKE monitoring.samples_0 INCLUDING ALL);
COMMENT ON TABLE monitoring.samples_1 IS 'Ring, as monitoring.samples_0.';
CREATE TABLE IF NOT EXISTS monitoring.samples_2 (LIKE monitoring.samples_0 INCLUDING ALL);
COMMENT ON TABLE monitoring.samples_2 IS 'Ring, as monitoring.samples_0.';

CREATE TABLE IF NOT EXISTS monitoring.facts_0 (
    kind public.key_text NOT NULL,
    subject public.key_text NOT NULL,
    began_at public.event_time NOT NULL,
    seen_at public.event_time NOT NULL,
    figure public.figure,
    detail public.json_document NOT NULL,
    CONSTRAINT facts_0_pkey PRIMARY KEY (kind, subject, began_at),
    CONSTRAINT facts_0_seen_after_begin_check CHECK (seen_at >= began_at)
);
COMMENT ON TABLE monitoring.facts_0 IS
'Ring of three fortnights: what lasted from a time to a time. Read monitoring.facts.';
COMMENT ON COLUMN monitoring.facts_0.kind IS
'minute and hour (waits, rolled up), server, table, io, statement (differences of counters), health,
lock wait, snapshot, chunk, and others that docs/guides/monitoring.md lists.';
COMMENT ON COLUMN monitoring.facts_0.subject IS
'Cause, table, check, chunk, or process that the fact is about.';
COMMENT ON COLUMN monitoring.facts_0.began_at IS 'Begin, UTC.';
COMMENT ON COLUMN monitoring.facts_0.seen_at IS 'Latest sample that saw it, UTC.';
COMMENT ON COLUMN monitoring.facts_0.figure IS
'Largest figure of the fact, in the unit of its kind.';
COMMENT ON COLUMN monitoring.facts_0.detail IS 'The rest, by kind.';
CREATE TABLE IF NOT EXISTS monitoring.facts_1 (LIKE monitoring.facts_0 INCLUDING ALL);
COMMENT ON TABLE monitoring.facts_1 IS 'Ring, as monitoring.facts_0.';
CREATE TABLE IF NOT EXISTS monitoring.facts_2 (LIKE monitoring.facts_0 INCLUDING ALL);
COMMENT ON TABLE monitoring.facts_2 IS 'Ring, as monitoring.facts_0.';
CREATE TABLE IF NOT EXISTS monitoring.facts_3 (LIKE monitoring.facts_0 INCLUDING ALL);
COMMENT ON TABLE monitoring.facts_3 IS
'Ring of three half-years, as monitoring.facts_0: waits by the hour.';
CREATE TABLE IF NOT EXISTS monitoring.facts_4 (LIKE monitoring.facts_0 INCLUDING ALL);
COMMENT ON TABLE monitoring.facts_4 IS 'Ring of half-years, as monitoring.facts_3.';
CREATE TABLE IF NOT EXISTS monitoring.facts_5 (LIKE monitoring.facts_0 INCLUDING ALL);
COMMENT ON TABLE monitoring.facts_5 IS 'Ring of half-years, as monitoring.facts_3.';

CREATE TABLE IF NOT EXISTS monitoring.counter_readings (
    kind public.key_text NOT NULL,
    subject public.key_text NOT NULL,
    taken_at public.event_time NOT NULL,
    counters public.json_document NOT NULL,
    CONSTRAINT counter_readings_pkey PRIMARY KEY (kind, subject)
);
COMMENT ON TABLE monitoring.counter_readings IS
'Latest reading of each of the server''s counters: facts hold the differences. Written by
monitoring.keep_samples().';
COMMENT ON COLUMN monitoring.counter_readings.kind IS 'server, table, io, statement or chunk.';
COMMENT ON COLUMN monitoring.counter_readings.subject IS
'Table, kind of process, statement; empty for the server.';
COMMENT ON COLUMN monitoring.counter_readings.taken_at IS 'When, UTC.';
COMMENT ON COLUMN monitoring.counter_readings.counters IS 'Counters since their last reset.';
