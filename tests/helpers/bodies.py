"""Functions whose bodies plpgsql_check reads."""

from __future__ import annotations

import psycopg

from rubi import SCHEMAS


def checked_functions(db: psycopg.Connection) -> list[tuple]:
    """Every plpgsql function, trigger functions beside each table that they serve."""
    return db.execute(
        # one of two trigger functions of bars serves no table, by the version of TimescaleDB
        "SELECT p.oid::regprocedure::text, coalesce("
        " t.tgrelid, CASE WHEN p.prorettype = 'trigger'::regtype THEN"
        " 'public.market_data'::regclass ELSE 0 END),"
        " coalesce(t.tgnewtable, nullif(t.tgoldtable, 'old_rows'), 'new_rows'::name)"
        " FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang"
        " LEFT JOIN pg_trigger AS t ON t.tgfoid = p.oid AND NOT t.tgisinternal"
        " AND t.tgrelid NOT IN (SELECT i.inhrelid FROM pg_inherits AS i)"
        " WHERE l.lanname = 'plpgsql' AND p.pronamespace::regnamespace::text = ANY (%s)"
        " AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e')",
        [list(SCHEMAS)],
    ).fetchall()
