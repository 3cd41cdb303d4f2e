"""What VACUUM leaves of rows that were written twice."""

from __future__ import annotations

import psycopg
import pytest

import rows

MANY = {
    "trading_orders": "INSERT INTO trading_orders (user_id, symbol, order_type, volume, open_price)"
    " SELECT %s, 'EURUSD', 'BUY', 0.1, 1.1 FROM generate_series(1, 7000)",
    "trading_signals": "INSERT INTO trading_signals (user_id, symbol, signal_type, volume,"
    " entry_price, signal_time)"
    " SELECT %s, 'EURUSD', 'BUY', 0.1, 1.1, now() FROM generate_series(1, 7000)",
}
ENDS = {
    "trading_orders": "closed_at = now(), close_price = 1.2",
    "trading_signals": "status = 'REJECTED'",
}
# line pointers that stay dead as long as an index has entries of them
DEAD = """
SELECT count(*)
FROM pg_class AS c
CROSS JOIN generate_series(0, pg_relation_size(c.oid) / current_setting('block_size')::bigint - 1)
    AS p
CROSS JOIN heap_page_items(get_raw_page(c.relname, p)) AS i
WHERE c.oid = %s::regclass AND i.lp_flags = 3
"""


@pytest.mark.parametrize("table", MANY)
def test_few_dead_rows_leave_the_indexes_too(db: psycopg.Connection, table: str) -> None:
    """VACUUM by itself leaves entries in the indexes while dead rows lie on few pages: these
    tables are vacuumed when a hundredth of their rows is dead."""
    db.execute("CREATE EXTENSION pageinspect")
    user = rows.user(db)
    db.execute(MANY[table], [user])
    five = f"UPDATE {table} SET {ENDS[table]} WHERE ctid = ANY (%s::tid[])"
    assert db.execute(five, [[f"(0,{n})" for n in range(1, 6)]]).rowcount == 5
    db.execute(f"VACUUM {table}")
    assert db.execute(DEAD, [table]).fetchone() == (0,)
    db.execute(f"ALTER TABLE {table} SET (vacuum_index_cleanup = auto)")
    assert db.execute(five, [[f"(0,{n})" for n in range(6, 11)]]).rowcount == 5
    db.execute(f"VACUUM {table}")
    assert db.execute(DEAD, [table]).fetchone() > (0,)
