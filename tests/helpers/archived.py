"""Rows that are old enough to be archived, and the script that archives them."""

from __future__ import annotations

import psycopg

import archive
import bars
import rows

TABLES = {
    "public.market_ticks": "symbol, timestamp, seq",
    "audit.changes": "id",
    "public.mt5_events": "account_id, kind, id, number",
    "public.mt5_order_sends": "id",
    "public.mt5_rejects": "id",
}
HARD = 'a "b", \\\n\t,é\r\n'


def run(connection: psycopg.Connection, *arguments: object):
    return bars.script(connection, archive, *arguments, user="rubi_admin")


def told(connection: psycopg.Connection) -> dict[str, list[tuple]]:
    """All rows of the archived tables, as text."""
    return {
        table: connection.execute(f"SELECT t::text FROM {table} AS t ORDER BY {key}").fetchall()
        for table, key in TABLES.items()
    }


def fill(db: psycopg.Connection) -> None:
    """15 months of rows of each table that is archived, with values that are hard to write."""
    db.execute("SET session_replication_role = replica")
    db.execute(
        "INSERT INTO market_ticks (symbol, timestamp, seq, bid, ask, last, volume, volume_real)"
        " SELECT s, d + (n || ' ms')::interval, n, 1.1 + n / 1e8, nullif(n, 3), nullif(n, 2) / 3.0,"
        " n, n / 7.0 FROM unnest(ARRAY['EURUSD', 'Vol 75 (1s)/x']) AS s"
        " CROSS JOIN generate_series(now() - interval '105 days', now(), '10 hours') AS d"
        " CROSS JOIN generate_series(1, 4) AS n"
    )
    account = rows.insert(
        db, "mt5_accounts", user_id=rows.user(db), server="s", account_number="1", broker="b"
    )
    at = "now() - interval '5 days' * n"
    db.execute(
        "INSERT INTO audit.changes (changed_at, login, app_user_id, table_name, row_id, action,"
        f" old_values, new_values) SELECT {at}, 'x',"
        " CASE mod(n, 3) WHEN 0 THEN '' WHEN 1 THEN %s END,"
        " 'users', n, 'UPDATE', jsonb_build_object('a', n, 'b', %s::text), NULL"
        " FROM generate_series(1, 95) AS n",
        [HARD, HARD],
    )
    db.execute(
        "INSERT INTO mt5_events (account_id, kind, what, id, seen_at, taken_at, era, new_values)"
        f" SELECT %s, 'deal', 'new', n, {at}, {at}, 1, jsonb_build_object('a', %s::text)"
        " FROM generate_series(1, 95) AS n",
        [account, HARD],
    )
    db.execute(
        "INSERT INTO mt5_order_sends (account_id, sent_at, request, symbol, requested_price)"
        f" SELECT %s, {at}, '{{}}', %s, n / 8.0 FROM generate_series(1, 95) AS n",
        [account, HARD],
    )
    db.execute(
        "INSERT INTO mt5_rejects (account_id, rejected_at, source, reason, element)"
        f" SELECT %s, {at}, 'deals', %s, to_jsonb(n) FROM generate_series(1, 95) AS n",
        [account, HARD],
    )
    db.execute("SET session_replication_role = origin")
