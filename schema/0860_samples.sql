-- 0860_samples.sql: samples of the sessions and of the server's figures, for a look back.

CALL deploy.become_owner();

-- Combinations of role, event and statement repeat all day: a sample holds their numbers only.
CREATE TABLE IF NOT EXISTS monitoring.sampled_causes (
    id bigint NOT NULL,
    role_name public.key_text NOT NULL,
    event public.key_text NOT NULL,
    statement public.short_text NOT NULL,
    seen_on date DEFAULT current_date NOT NULL,
    CONSTRAINT sampled_causes_pkey PRIMARY KEY (id),
    CONSTRAINT sampled_causes_seen_on_finite_check CHECK (isfinite(seen_on))
);
COMMENT ON TABLE monitoring.sampled_causes IS
'One row a combination of role, wait event and statement that a sample saw. Written by
monitoring.take_sample().';
COMMENT ON COLUMN monitoring.sampled_causes.id IS
'Number in monitoring.samples: a hash of the combination.';
COMMENT ON COLUMN monitoring.sampled_causes.role_name IS
'Role of the session, or kind of the server''s process.';
COMMENT ON COLUMN monitoring.sampled_causes.event IS
'Wait as type:event; CPU without a wait; or idle in transaction.';
COMMENT ON COLUMN monitoring.sampled_causes.statement IS
'Text as monitoring.plain_statement() leaves it: no constant, no comment. Empty for none.';
COMMENT ON COLUMN monitoring.sampled_causes.seen_on IS 'Latest day of a sample with it.';

-- Both tables are rings of three parts: the next part is emptied by TRUNCATE while this one is
-- written, so that a lock on it may be waited for all day.
CREATE TABLE IF NOT EXISTS monitoring.samples (
    taken_at public.event_time NOT NULL,
    gap_ms integer NOT NULL,
    sessions smallint NOT NULL,
    causes bigint[] NOT NULL,
    counts smallint[] NOT NULL,
    ages_ms integer[] NOT NULL,
    slot smallint DEFAULT mod(extract(EPOCH FROM now())::bigint / 86400, 3) NOT NULL,
    CONSTRAINT samples_pkey PRIMARY KEY (taken_at, slot)
) PARTITION BY LIST (slot);
COMMENT ON TABLE monitoring.samples IS
'One row a sample of the last one to two days. monitoring.incident() reads them.';
COMMENT ON COLUMN monitoring.samples.taken_at IS 'Time of the sample, UTC.';
COMMENT ON COLUMN monitoring.samples.gap_ms IS 'Time since the sample before, milliseconds.';
COMMENT ON COLUMN monitoring.samples.sessions IS 'Client sessions of this database.';
COMMENT ON COLUMN monitoring.samples.causes IS
'Numbers in monitoring.sampled_causes of the sessions that did something.';
COMMENT ON COLUMN monitoring.samples.counts IS 'Sessions with each cause.';
COMMENT ON COLUMN monitoring.samples.ages_ms IS
'Longest time of a statement or idle state with each cause, milliseconds.';
COMMENT ON COLUMN monitoring.samples.slot IS 'Part of the ring: the day''s number modulo 3.';
CREATE TABLE IF NOT EXISTS monitoring.samples_0
PARTITION OF monitoring.samples FOR VALUES IN (0);
CREATE TABLE IF NOT EXISTS monitoring.samples_1
PARTITION OF monitoring.samples FOR VALUES IN (1);
CREATE TABLE IF NOT EXISTS monitoring.samples_2
PARTITION OF monitoring.samples FOR VALUES IN (2);

CREATE TABLE IF NOT EXISTS monitoring.facts (
    kind public.key_text NOT NULL,
    subject public.key_text NOT NULL,
    began_at public.event_time NOT NULL,
    seen_at public.event_time NOT NULL,
    words public.short_text DEFAULT '' NOT NULL,
    figures public.json_document DEFAULT '{}' NOT NULL,
    slot smallint DEFAULT mod(extract(EPOCH FROM now())::bigint / 86400 / 14, 3) NOT NULL,
    CONSTRAINT facts_pkey PRIMARY KEY (kind, subject, began_at, slot),
    CONSTRAINT facts_seen_after_begin_check CHECK (seen_at >= began_at)
) PARTITION BY LIST (slot);
COMMENT ON TABLE monitoring.facts IS
'What lasted from a time to a time: two to four weeks of them, hours of waits for half a year to a
year. monitoring.incident() reads them.';
COMMENT ON COLUMN monitoring.facts.kind IS
'minute and hour (waits, rolled up), server, chunk, table, io, statement (differences of counters),
health (checks that were not ok), and troubles by the name that the page gives them.';
COMMENT ON COLUMN monitoring.facts.subject IS
'Cause, table, check, hypertable, or process that the fact is about.';
COMMENT ON COLUMN monitoring.facts.began_at IS 'Begin, UTC.';
COMMENT ON COLUMN monitoring.facts.seen_at IS 'Latest sample that saw it, UTC.';
COMMENT ON COLUMN monitoring.facts.words IS 'What the page says of it.';
COMMENT ON COLUMN monitoring.facts.figures IS 'Its figures by name.';
COMMENT ON COLUMN monitoring.facts.slot IS
'Part of the ring: 0 to 2 for a fortnight each; 3 to 5 for half a year of hours.';
CREATE TABLE IF NOT EXISTS monitoring.facts_0 PARTITION OF monitoring.facts FOR VALUES IN (0);
CREATE TABLE IF NOT EXISTS monitoring.facts_1 PARTITION OF monitoring.facts FOR VALUES IN (1);
CREATE TABLE IF NOT EXISTS monitoring.facts_2 PARTITION OF monitoring.facts FOR VALUES IN (2);
CREATE TABLE IF NOT EXISTS monitoring.facts_3 PARTITION OF monitoring.facts FOR VALUES IN (3);
CREATE TABLE IF NOT EXISTS monitoring.facts_4 PARTITION OF monitoring.facts FOR VALUES IN (4);
CREATE TABLE IF NOT EXISTS monitoring.facts_5 PARTITION OF monitoring.facts FOR VALUES IN (5);

CREATE TABLE IF NOT EXISTS monitoring.counter_readings (
    kind public.key_text NOT NULL,
    subject public.key_text NOT NULL,
    taken_at public.event_time NOT NULL,
    counters public.json_document NOT NULL,
    CONSTRAINT counter_readings_pkey PRIMARY KEY (kind, subject)
);
COMMENT ON TABLE monitoring.counter_readings IS
'Latest reading of each of the server''s counters: facts hold the differences. Written by
monitoring.take_counters() and keep_samples().';
COMMENT ON COLUMN monitoring.counter_readings.kind IS
'server, chunk, table, io or statement; sampler: when the work of a minute was done last.';
COMMENT ON COLUMN monitoring.counter_readings.subject IS
'Table, kind of process, statement; archiver, checkpoints, wal; empty for the database.';
COMMENT ON COLUMN monitoring.counter_readings.taken_at IS 'When, UTC.';
COMMENT ON COLUMN monitoring.counter_readings.counters IS 'Counters since their last reset.';
