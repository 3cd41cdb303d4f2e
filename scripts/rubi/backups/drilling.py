"""Tries a backup: restored on a server of its own, proofs asked, used as the API does."""

from contextlib import suppress
from time import monotonic

import psycopg

from rubi.backups import restoring
from rubi.cli import Failure, step
from rubi.queries import queries
from rubi.servers import clusters, embedded

SQL = queries(__file__)

DATABASE = "rubi_drill"


def prove(backup: restoring.Fetched, jobs: int) -> float:
    """Restore and try a backup on a server of its own; seconds that the restore took."""
    major = int(backup.manifest["postgresql"].split(".")[0])
    with step(f"PostgreSQL {major} with TimescaleDB"):
        programs = embedded.binaries(major)
    with clusters.temporary(programs, kind="drill") as cluster:
        began = monotonic()
        restoring.restore_into(backup, cluster.dsn(DATABASE), jobs=jobs)
        seconds = monotonic() - began
        with step("proofs"), cluster.connect(DATABASE) as connection:
            check_proofs(connection)
        with step("rubi_app works"):
            use(cluster.dsn(DATABASE, "rubi_app"))
        with step("proofs hold afterwards"), cluster.connect(DATABASE) as connection:
            check_proofs(connection)
    return seconds


def check_proofs(connection: psycopg.Connection) -> None:
    """Raise Failure when something contradicts a proof of monitoring.proofs."""
    well, line = connection.execute("SELECT is_well, line FROM monitoring.proofs_line").fetchone()
    if not well:
        raise Failure(f"restored, but the proofs fail: {line}")


def use(dsn: str) -> None:
    """Do what the API does. Raises Failure when it can't."""
    with psycopg.connect(dsn, application_name="rubi drill") as connection:
        try:
            connection.execute(SQL.SMOKE)
            connection.commit()
            found = connection.execute(SQL.RESULT).fetchone()
        except psycopg.Error as error:
            with suppress(psycopg.Error):
                connection.rollback()
            raise Failure(f"restored, but rubi_app can't work: {error.diag.message_primary}") from (
                error
            )
    if found != (1, 10, 1, 2):
        raise Failure(f"restored, but rubi_app reads {found} where it wrote (1, 10, 1, 2)")
