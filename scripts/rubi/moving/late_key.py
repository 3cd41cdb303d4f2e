"""The key of bars, built when all of them are in: half of what COPY costs the server is its index.

Only in an empty table, within the one transaction of a move: such a table has no bars to read, and
a killed move leaves no trace. Readers and writers of bars wait until the move ends.
"""

from dataclasses import dataclass

import psycopg
from psycopg import sql

from rubi.cli import console
from rubi.queries import queries

WAIT = "3s"  # for the lock, for which other users of bars wait too
SQL = queries(__file__)
MANY = 100_000  # rows from which a key built afterwards pays


@dataclass
class Key:
    name: str
    definition: str
    comment: str | None

    def build(self, connection: psycopg.Connection) -> None:
        """Make the key again. Raises UniqueViolation when two rows share it."""
        name = sql.Identifier(self.name)
        connection.execute(
            sql.SQL("ALTER TABLE public.market_data ADD CONSTRAINT {} {}").format(
                name, sql.SQL(self.definition)
            )
        )
        if self.comment is not None:
            connection.execute(
                sql.SQL("COMMENT ON CONSTRAINT {} ON public.market_data IS {}").format(
                    name, sql.Literal(self.comment)
                )
            )


def dropped(connection: psycopg.Connection) -> Key | None:
    """Drop the key. None where the key has to stay: bars are there, the lock is not to be had, or
    something of the database hangs on the key."""
    if not connection.execute(SQL.KEY).rowcount:
        return None
    key = None
    try:
        with connection.transaction():
            before = connection.execute("SELECT current_setting('lock_timeout')").fetchone()[0]
            connection.execute(f"SET LOCAL lock_timeout = '{WAIT}'")
            connection.execute("LOCK TABLE public.market_data IN ACCESS EXCLUSIVE MODE")
            if not (row := connection.execute(SQL.KEY).fetchone()):
                raise psycopg.Rollback
            connection.execute(
                sql.SQL("ALTER TABLE public.market_data DROP CONSTRAINT {}").format(
                    sql.Identifier(row[0])
                )
            )
            connection.execute("SELECT set_config('lock_timeout', %s, TRUE)", [before])
            key = Key(*row)
    except psycopg.Error as error:
        if connection.closed:
            raise
        console.print(f"market_data keeps its key meanwhile: {error.diag.message_primary}")
        return None
    if key:
        console.print(
            "market_data is empty, its key is built at the end; users of bars wait until then"
        )
    return key
