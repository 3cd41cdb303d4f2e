-- late_key.sql: the key of market_data, which a large move builds when the rows are there.

-- KEY: the key, where only its comment would have to be made again with it; the
-- columnstore has indexes of its own
SELECT
    c.conname, pg_get_constraintdef(c.oid) AS definition,
    obj_description(c.oid, 'pg_constraint') AS comment
FROM pg_constraint AS c
INNER JOIN pg_index AS i ON c.conindid = i.indexrelid
INNER JOIN pg_class AS k ON c.conindid = k.oid
WHERE
    c.conrelid = 'public.market_data'::regclass
    AND c.contype = 'p'
    AND NOT i.indisclustered
    AND NOT i.indisreplident
    AND k.reloptions IS NULL
    AND k.reltablespace = 0
    AND obj_description(k.oid, 'pg_class') IS NULL
    AND NOT EXISTS (
        SELECT FROM timescaledb_information.hypertables AS h
        WHERE h.hypertable_schema = 'public' AND h.hypertable_name = 'market_data'
            AND h.compression_enabled
    )
    AND NOT EXISTS (SELECT FROM public.market_data);
