"""Contents of a database, measured so that two of them can be compared: the heart of a manifest.

Everything is read in the transaction it is asked in, so that a manifest and a dump of one snapshot
say the same.
"""

import hashlib
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from rubi.cli import Failure
from rubi.deploying import catalog
from rubi.queries import queries

SQL = queries(__file__)

# A row's text depends on these; search_path makes it name schemas.
SETTINGS = (
    "SET LOCAL timezone = 'UTC'",
    "SET LOCAL datestyle = 'ISO, YMD'",
    "SET LOCAL intervalstyle = 'postgres'",
    "SET LOCAL extra_float_digits = 1",
    "SET LOCAL bytea_output = 'hex'",
    "SET LOCAL search_path = pg_catalog",
    "SET LOCAL statement_timeout = 0",
)

# of the cluster, or of the session's role
NOT_DUMPED = {"role", "membership", "role setting", "held"}


def measure(connection: psycopg.Connection) -> dict[str, Any]:
    """Versions, tables with rows and checksums, chunks, catalog and schema history.

    Inside a transaction; its settings are changed. A checksum is the sum of the rows' hashes, so
    the order of rows does not matter. Raises Failure where row security hides rows.
    """
    connection.row_factory = tuple_row
    for statement in SETTINGS:
        connection.execute(statement)
    tables = connection.execute(SQL.TABLES).fetchall()
    hidden = connection.execute(SQL.HIDDEN, {"tables": [oid for oid, *_ in tables]}).fetchall()
    if hidden:
        raise Failure(
            f"row security hides rows of {hidden[0][0]} from {connection.info.user}: give it a "
            "policy USING (TRUE), or dump as the owner of the tables"
        )
    timescaledb = connection.execute(
        "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
    ).fetchone()
    owner, encoding, collate, ctype, provider, locale, rights, settings = one(
        connection, SQL.DATABASE
    )
    history = one(connection, "SELECT to_regclass('deploy.history')")[0]
    measured = {
        "postgresql": one(connection, "SHOW server_version")[0],
        "timescaledb": timescaledb[0] if timescaledb else None,
        "database": {
            "owner": owner, "encoding": encoding, "collate": collate, "ctype": ctype,
            "provider": provider, "locale": locale, "rights": rights, "settings": settings,
        },
        "tables": checksums(connection, tables),
        "chunks": dict(connection.execute(SQL.CHUNKS).fetchall()) if timescaledb else {},
        "history": dict(connection.execute(SQL.HISTORY).fetchall()) if history else {},
        "catalog": {
            f"{item.kind} {item.name}": hashlib.sha256(item.definition.encode()).hexdigest()[:16]
            for item in catalog.snapshot(connection).values()
            if item.kind not in NOT_DUMPED and (item.kind, item.name) != ("extension", "pg_cron")
        },
    }  # fmt: skip
    if timescaledb and (gone := connection.execute(SQL.DROPPED).fetchone()):
        raise Failure(f"chunk {gone[0]} was dropped meanwhile: run this again")
    return measured


def refuse_unreadable(connection: psycopg.Connection) -> None:
    """Raise Failure where the role lacks a right that a dump needs."""
    if found := connection.execute(SQL.UNREADABLE).fetchone():
        role, (table, owner, count) = connection.info.user, found
        other = "" if role == "rubi_backup" else "connect as rubi_backup, or "
        raise Failure(
            f"{role} may not read {table} of {owner} ({count} in all): {other}as superuser GRANT "
            f"pg_read_all_data TO {role}, or have {owner} GRANT USAGE ON SCHEMA and SELECT ON ALL "
            "TABLES and SEQUENCES IN SCHEMA"
        )


def one(connection: psycopg.Connection, query: str) -> tuple:
    return connection.execute(query).fetchone()


def checksums(connection: psycopg.Connection, tables: list[tuple]) -> dict[str, dict[str, Any]]:
    """checksum() of the whole tables that SQL.TABLES found, by their names."""
    return {
        f"{schema}.{name}": checksum(
            connection,
            sql.SQL("rubi_row"),
            sql.SQL("{} AS rubi_row").format(sql.Identifier(schema, name)),
        )
        for _, schema, name in tables
    }


def checksum(
    connection: psycopg.Connection, row: sql.Composable, rows: sql.Composable
) -> dict[str, Any]:
    """Number of rows and the sum of their hashes, which is the same in any order.

    row: what is hashed of each; rows: what stands behind FROM.
    """
    # of a hypertable whose chunks are all empty TimescaleDB 2.17 makes no row
    count, total = connection.execute(
        sql.SQL(
            'SELECT count(*), coalesce(sum(hashtextextended({}::text COLLATE "C", 0)), 0) FROM {}'
        ).format(row, rows)
    ).fetchone() or (0, 0)
    return {"rows": count, "checksum": str(total)}


def sequences_behind(connection: psycopg.Connection) -> list[str]:
    """Sequences that would hand out a number which a row has already."""
    behind = []
    tables = [oid for oid, *_ in connection.execute(SQL.TABLES).fetchall()]
    for sequence, schema, table, column in connection.execute(
        SQL.SEQUENCES, {"tables": tables}
    ).fetchall():
        late = connection.execute(
            sql.SQL(
                "SELECT coalesce(max({}), 0) >"
                " coalesce(pg_sequence_last_value(%s::regclass), 0) FROM {}"
            ).format(sql.Identifier(column), sql.Identifier(schema, table)),
            [sequence],
        ).fetchone()[0]
        if late:
            behind.append(f"sequence {sequence} is behind {schema}.{table}.{column}")
    return behind


def differences(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Differences between a restored database and its manifest; empty when equal."""
    said = []
    for name in sorted(expected["tables"].keys() | found["tables"].keys()):
        before, after = expected["tables"].get(name), found["tables"].get(name)
        if before is None or after is None:
            said.append(f"table {name} is {'not in the manifest' if after else 'missing'}")
        elif before["rows"] != after["rows"]:
            said.append(f"table {name} has {after['rows']:,} rows instead of {before['rows']:,}")
        elif before != after:
            said.append(f"table {name} has other contents")
    for name in sorted(expected["chunks"].keys() | found["chunks"].keys()):
        before, after = expected["chunks"].get(name, 0), found["chunks"].get(name, 0)
        if before != after:
            said.append(f"hypertable {name} has {after} chunks instead of {before}")
    if expected["postgresql"].split(".")[0] != found["postgresql"].split(".")[0]:
        return said  # another major version spells definitions otherwise
    for name in sorted(expected["catalog"].keys() | found["catalog"].keys()):
        before, after = expected["catalog"].get(name), found["catalog"].get(name)
        if name.startswith("extension ") and before and after:
            continue  # an update of the server may bring another version
        if before != after:
            said.append(f"{name} differs")
    return said
