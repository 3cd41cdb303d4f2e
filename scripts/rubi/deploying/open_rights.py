"""Rights of PUBLIC that no role here needs; a superuser closes them after the installation."""

import psycopg

from rubi import ROOT

FILE = "grants/6020_extensions.sql"


def close(connection: psycopg.Connection) -> bool:
    """Run the file of a superuser's rights again; answers whether the session is a superuser's.

    An update of an extension, and a restored dump of a server without a superuser, bring rights of
    PUBLIC back, while the history says that the file ran.
    """
    (may,) = connection.execute(
        "SELECT rolsuper FROM pg_roles WHERE rolname = session_user"
    ).fetchone()
    if may:
        connection.execute((ROOT / FILE).read_text(encoding="utf-8"))
    return may
