-- bundling.sql: stops a bundle in a database whose files are in another state.
DO $guard$
DECLARE
    v_other text;
BEGIN
    IF to_regclass('deploy.history') IS NOT NULL THEN
        SELECT string_agg(f.path, ', ' ORDER BY f.path) INTO v_other
        FROM (
            VALUES
%(rows)s
        ) AS f (path, was, becomes)
        WHERE coalesce((
            SELECT h.sha256 FROM deploy.history AS h
            WHERE h.path = f.path
            ORDER BY h.id DESC
            LIMIT 1
        ), '') NOT IN (f.was, f.becomes);
    ELSIF %(history)s THEN
        v_other := 'deploy.history is missing';
    END IF;
    IF v_other IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB003',
            MESSAGE = format('this script was written for another state: %%s', v_other),
            HINT = 'Write the bundle again from this database.';
    END IF;
END
$guard$;
