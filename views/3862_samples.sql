-- 3862_samples.sql: the samples and facts of all tables of their rings.

CALL deploy.become_owner();

CREATE OR REPLACE VIEW monitoring.samples
WITH (security_invoker = TRUE) AS
SELECT
    s.taken_at,
    s.sessions,
    s.took_ms,
    s.causes,
    s.counts,
    s.ages_ms
FROM monitoring.samples_0 AS s
UNION ALL
SELECT
    s.taken_at,
    s.sessions,
    s.took_ms,
    s.causes,
    s.counts,
    s.ages_ms
FROM monitoring.samples_1 AS s
UNION ALL
SELECT
    s.taken_at,
    s.sessions,
    s.took_ms,
    s.causes,
    s.counts,
    s.ages_ms
FROM monitoring.samples_2 AS s;

COMMENT ON VIEW monitoring.samples IS
'Samples of the last one to two days. monitoring.incident() reads them.';
COMMENT ON COLUMN monitoring.samples.taken_at IS 'Time of the sample, UTC.';
COMMENT ON COLUMN monitoring.samples.sessions IS 'Client sessions of this database.';
COMMENT ON COLUMN monitoring.samples.took_ms IS 'Duration of the sample itself, milliseconds.';
COMMENT ON COLUMN monitoring.samples.causes IS 'Numbers in monitoring.sampled_causes.';
COMMENT ON COLUMN monitoring.samples.counts IS 'Sessions with each cause.';
COMMENT ON COLUMN monitoring.samples.ages_ms IS
'Longest time of a statement or idle state with each cause, milliseconds.';

CREATE OR REPLACE VIEW monitoring.facts
WITH (security_invoker = TRUE) AS
SELECT
    f.kind,
    f.subject,
    f.began_at,
    f.seen_at,
    f.figure,
    f.detail
FROM monitoring.facts_0 AS f
UNION ALL
SELECT
    f.kind,
    f.subject,
    f.began_at,
    f.seen_at,
    f.figure,
    f.detail
FROM monitoring.facts_1 AS f
UNION ALL
SELECT
    f.kind,
    f.subject,
    f.began_at,
    f.seen_at,
    f.figure,
    f.detail
FROM monitoring.facts_2 AS f
UNION ALL
SELECT
    f.kind,
    f.subject,
    f.began_at,
    f.seen_at,
    f.figure,
    f.detail
FROM monitoring.facts_3 AS f
UNION ALL
SELECT
    f.kind,
    f.subject,
    f.began_at,
    f.seen_at,
    f.figure,
    f.detail
FROM monitoring.facts_4 AS f
UNION ALL
SELECT
    f.kind,
    f.subject,
    f.began_at,
    f.seen_at,
    f.figure,
    f.detail
FROM monitoring.facts_5 AS f;

COMMENT ON VIEW monitoring.facts IS
'What lasted from a time to a time: two to four weeks of them, hours of waits for a year.
monitoring.incident() reads them.';
COMMENT ON COLUMN monitoring.facts.kind IS 'Kind: docs/guides/monitoring.md lists them.';
COMMENT ON COLUMN monitoring.facts.subject IS
'Cause, table, check, chunk, or process that the fact is about.';
COMMENT ON COLUMN monitoring.facts.began_at IS 'Begin, UTC.';
COMMENT ON COLUMN monitoring.facts.seen_at IS 'Latest sample that saw it, UTC.';
COMMENT ON COLUMN monitoring.facts.figure IS 'Largest figure of the fact, in the unit of its kind.';
COMMENT ON COLUMN monitoring.facts.detail IS 'The rest, by kind.';
