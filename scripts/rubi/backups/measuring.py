"""What a database holds, measured so that two of them can be compared: the heart of a manifest.

Everything is read in the transaction it is asked in, so that a manifest and a dump of one snapshot
say the same.
"""

from __future__ import annotations

import hashlib
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from rubi.cli import Failure
from rubi.deploying import catalog

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
# Own tables: no system's, no extension's, no chunks, which their hypertable counts.
TABLES = """
SELECT c.oid, n.nspname, c.relname
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
WHERE
    c.relkind = 'r'
    AND c.relpersistence = 'p'
    AND n.nspname !~ '^(pg_|_timescaledb_|information_schema$|timescaledb_)'
    AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname
"""
# Row security that hides rows from who dumps would hide them from who counts, too.
HIDDEN = """
SELECT t.oid::regclass::text
FROM unnest(%s::oid[]) AS t (oid)
WHERE
    row_security_active(t.oid)
    AND (
        NOT EXISTS (
            SELECT FROM pg_policy AS p
            WHERE
                p.polrelid = t.oid AND p.polpermissive AND p.polcmd IN ('*', 'r')
                AND pg_get_expr(p.polqual, p.polrelid) = 'true'
                AND EXISTS (
                    SELECT FROM unnest(p.polroles) AS r (oid)
                    WHERE CASE WHEN r.oid = 0 THEN TRUE ELSE pg_has_role(r.oid, 'USAGE') END
                )
        )
        OR EXISTS (
            SELECT FROM pg_policy AS p
            WHERE p.polrelid = t.oid AND NOT p.polpermissive AND p.polcmd IN ('*', 'r')
        )
    )
"""
CHUNKS = """
SELECT format('%I.%I', hypertable_schema, hypertable_name), count(*)
FROM timescaledb_information.chunks GROUP BY 1 ORDER BY 1
"""
# The catalog of a snapshot names chunks that were dropped since, but their rows are gone.
DROPPED = """
SELECT format('%I.%I', chunk_schema, chunk_name) FROM timescaledb_information.chunks
WHERE to_regclass(format('%I.%I', chunk_schema, chunk_name)) IS NULL
"""
DATABASE = """
SELECT
    pg_get_userbyid(d.datdba), pg_encoding_to_char(d.encoding), d.datcollate, d.datctype,
    d.datlocprovider,
    coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),
    ARRAY(
        SELECT ARRAY[CASE WHEN a.grantee = 0 THEN 'public' ELSE a.grantee::regrole::text END,
            a.privilege_type]
        FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
        WHERE a.grantee <> d.datdba ORDER BY 1
    ),
    ARRAY(
        SELECT c FROM pg_db_role_setting AS s, unnest(s.setconfig) AS c
        WHERE s.setdatabase = d.oid AND s.setrole = 0
            AND c !~ '^timescaledb\\.restoring=' ORDER BY 1
    )
FROM pg_database AS d WHERE d.datname = current_database()
"""
HISTORY = """
SELECT DISTINCT ON (path) path, sha256 FROM deploy.history ORDER BY path, id DESC
"""

# of the cluster, or of who looks
NOT_DUMPED = {"role", "membership", "role setting", "held"}

# sequences of columns, as the catalog knows them
SEQUENCES = """
SELECT s.oid::regclass::text, n.nspname, c.relname, a.attname
FROM pg_depend AS d
INNER JOIN pg_class AS s ON d.objid = s.oid AND s.relkind = 'S'
INNER JOIN pg_class AS c ON d.refobjid = c.oid AND c.oid = ANY (%s::oid[])
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
INNER JOIN pg_attribute AS a ON c.oid = a.attrelid AND d.refobjsubid = a.attnum
WHERE d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
ORDER BY 1
"""


def measure(connection: psycopg.Connection) -> dict[str, Any]:
    """Versions, tables with rows and checksums, chunks, catalog and schema history.

    Inside a transaction; its settings are changed. A checksum is the sum of the rows' hashes, so
    the order of rows does not matter. Raises Failure where row security hides rows.
    """
    connection.row_factory = tuple_row
    for statement in SETTINGS:
        connection.execute(statement)
    tables = connection.execute(TABLES).fetchall()
    hidden = connection.execute(HIDDEN, [[oid for oid, *_ in tables]]).fetchall()
    if hidden:
        raise Failure(
            f"row security hides rows of {hidden[0][0]} from {connection.info.user}: give it a "
            "policy USING (TRUE), or dump as the owner of the tables"
        )
    timescaledb = connection.execute(
        "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
    ).fetchone()
    owner, encoding, collate, ctype, provider, locale, rights, settings = one(connection, DATABASE)
    history = one(connection, "SELECT to_regclass('deploy.history')")[0]
    measured = {
        "postgresql": one(connection, "SHOW server_version")[0],
        "timescaledb": timescaledb[0] if timescaledb else None,
        "database": {
            "owner": owner, "encoding": encoding, "collate": collate, "ctype": ctype,
            "provider": provider, "locale": locale, "rights": rights, "settings": settings,
        },
        "tables": {
            f"{schema}.{name}": checksum(connection, schema, name) for _, schema, name in tables
        },
        "chunks": dict(connection.execute(CHUNKS).fetchall()) if timescaledb else {},
        "history": dict(connection.execute(HISTORY).fetchall()) if history else {},
        "catalog": {
            f"{item.kind} {item.name}": hashlib.sha256(item.definition.encode()).hexdigest()[:16]
            for item in catalog.snapshot(connection).values()
            if item.kind not in NOT_DUMPED
        },
    }  # fmt: skip
    if timescaledb and (gone := connection.execute(DROPPED).fetchone()):
        raise Failure(f"chunk {gone[0]} was dropped meanwhile: run this again")
    return measured


def one(connection: psycopg.Connection, query: str) -> tuple:
    """The only row of a query."""
    return connection.execute(query).fetchone()


def checksum(connection: psycopg.Connection, schema: str, name: str) -> dict[str, Any]:
    """Number of rows and the sum of their hashes, which is the same in any order."""
    rows, total = connection.execute(
        sql.SQL(
            'SELECT count(*), coalesce(sum(hashtextextended(rubi_row::text COLLATE "C", 0)), 0)'
            " FROM {} AS rubi_row"
        ).format(sql.Identifier(schema, name))
    ).fetchone()
    return {"rows": rows, "checksum": str(total)}


def sequences_behind(connection: psycopg.Connection) -> list[str]:
    """Sequences that would hand out a number which a row has already."""
    behind = []
    tables = [oid for oid, *_ in connection.execute(TABLES).fetchall()]
    for sequence, schema, table, column in connection.execute(SEQUENCES, [tables]).fetchall():
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
    """Where what was restored is not what the manifest says; empty when equal."""
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
