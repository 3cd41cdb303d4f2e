"""docs/reference/rights.md: equal to the catalog, and true when one becomes the role."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors, sql

from rubi import ROOT, SCHEMAS
from rubi.pages import rights


def test_rights_page_is_not_stale(catalog: psycopg.Connection) -> None:
    """When it is: scripts/make_docs.py on a freshly deployed database."""
    assert (ROOT / "docs/reference/rights.md").read_text() == rights.rights_page(catalog)


def columns(connection: psycopg.Connection, relation: str, role: str, action: str) -> list[str]:
    """Columns on which a role has a right, by the catalog."""
    return [
        name
        for (name,) in connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %(r)s::regclass AND attnum > 0"
            " AND NOT attisdropped AND attidentity = ''"
            " AND has_column_privilege(%(role)s, attrelid, attnum, %(action)s)",
            {"r": relation, "role": role, "action": action},
        )
    ]


def statement(action: str, relation: str, column: str) -> sql.Composed:
    """A statement that needs the right and changes nothing."""
    text = {
        "SELECT": "SELECT {column} FROM {relation} LIMIT 0",
        "INSERT": "INSERT INTO {relation} ({column}) SELECT NULL WHERE FALSE",
        "UPDATE": "UPDATE {relation} SET {column} = DEFAULT WHERE FALSE",
        "DELETE": "DELETE FROM {relation} WHERE FALSE",
    }[action]
    return sql.SQL(text).format(
        relation=sql.Identifier(*relation.split(".")), column=sql.Identifier(column)
    )


@pytest.mark.parametrize("role", rights.ROLES)
def test_each_cell_is_true_for_who_becomes_the_role(db: psycopg.Connection, role: str) -> None:
    cells = rights.rights(db)
    tried = 0
    for relation, named in cells:
        if named != role:
            continue
        any_column = db.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
            " AND NOT attisdropped AND attidentity = '' ORDER BY attnum LIMIT 1",
            [relation],
        ).fetchone()[0]
        for action in rights.ACTIONS:
            allowed = action[0] in cells[relation, role].upper()
            own = columns(db, relation, role, action) if action != "DELETE" and allowed else []
            attempt = statement(action, relation, own[0] if own else any_column)
            with db.transaction(force_rollback=True):
                db.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
                try:
                    with db.transaction():
                        db.execute(attempt)
                    worked = True
                except errors.InsufficientPrivilege:
                    worked = False
                except (errors.ObjectNotInPrerequisiteState, errors.FeatureNotSupported):
                    continue  # a view over several tables takes no row of any role
            assert worked == allowed, (relation, action)
            tried += 1
    assert tried >= 60


def test_public_holds_nothing(catalog: psycopg.Connection) -> None:
    """Nothing on a schema, relation, sequence or function of ours; CONNECT on the database."""
    database = catalog.execute(
        "SELECT a.privilege_type FROM pg_database AS d, aclexplode(d.datacl) AS a"
        " WHERE d.datname = current_database() AND a.grantee = 0"
    ).fetchall()
    assert database == [("CONNECT",)]
    held = catalog.execute(
        f"""
        SELECT n.nspname FROM pg_namespace AS n, aclexplode(n.nspacl) AS a
        WHERE a.grantee = 0 AND n.nspname IN {SCHEMAS}
        UNION ALL
        SELECT c.relname FROM pg_class AS c, aclexplode(c.relacl) AS a
        WHERE a.grantee = 0 AND c.relnamespace::regnamespace::text IN {SCHEMAS}
            AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e')
        UNION ALL
        SELECT p.proname FROM pg_proc AS p,
            aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
        WHERE a.grantee = 0 AND p.pronamespace::regnamespace::text IN {SCHEMAS}
            AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e')
        """
    ).fetchall()
    assert held == []
