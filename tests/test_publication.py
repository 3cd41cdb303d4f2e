"""Logical replication by others: a publication FOR ALL TABLES stops nobody."""

from __future__ import annotations

import psycopg

import rows
from rubi import SCHEMAS

TABLES = f"""
    SELECT c.oid::regclass::text
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
        AND n.nspname IN {SCHEMAS}
        AND c.relreplident <> 'f'
        AND NOT EXISTS (
            SELECT FROM pg_index AS i
            WHERE i.indrelid = c.oid AND i.indisvalid
                AND CASE c.relreplident
                    WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE FALSE
                END
        )
"""


def test_every_table_says_what_names_a_row(catalog: psycopg.Connection) -> None:
    assert catalog.execute(TABLES).fetchall() == []


def test_publication_for_all_tables_stops_neither_bars_nor_orders(
    db: psycopg.Connection, app: psycopg.Connection
) -> None:
    db.execute("SET client_min_messages = error")  # of wal_level, which has no part in this
    db.execute("CREATE PUBLICATION everything FOR ALL TABLES")
    rows.bar(app)
    db.execute("SELECT fold_bar_changes()")
    assert db.execute("SELECT count(*) FROM internal.bar_changes").fetchone() == (0,)
    order = rows.closed_order(app, rows.user(app))
    assert app.execute("DELETE FROM trading_orders WHERE id = %s", [order]).rowcount == 1
