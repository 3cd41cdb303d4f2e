"""The checklist of an installation: the view monitoring.installation, and points beyond it.

The view is asked about the database; the files on disk, a login as the API, health as rubi_monitor
sees it and an SQLite file beside are looked at here.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg

from rubi import ROOT
from rubi.deploying import history, sqlfiles


class Line(NamedTuple):
    """A point of the checklist; ok is None for a point that somebody else has to see to."""

    name: str
    ok: bool | None
    detail: str


def files(connection: psycopg.Connection) -> Line:
    due = history.due(sqlfiles.read_files(), history.applied(connection))
    if due:
        return Line("files", False, f"{len(due)} files are not applied: {due[0][0].path}")
    return Line("files", True, "all are applied")


def monitoring(connection: psycopg.Connection) -> Line:
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL ROLE rubi_monitor")
        counted = dict(
            connection.execute(
                "SELECT status, count(*) FROM monitoring.health GROUP BY status"
            ).fetchall()
        )
        spots = [row[0] for row in connection.execute("SELECT subject FROM monitoring.blind_spots")]
    said = ", ".join(f"{count} {status}" for status, count in sorted(counted.items()))
    blind = f"; out of sight: {', '.join(spots)}" if spots else ""
    return Line("monitoring", "critical" not in counted, said + blind)


def sqlite(_: psycopg.Connection) -> Line:
    for path in (Path("rubi_studio.db"), ROOT / "rubi_studio.db"):
        if path.exists():
            return Line(
                "SQLite data", None, f"{path} is here: migrate it (docs/guides/moving-in.md)"
            )
    return Line("SQLite data", True, "no rubi_studio.db here")


def from_the_api(dsn: str, password: str | None) -> Callable[[psycopg.Connection], Line]:
    """Logs in as rubi_app and works as the API does."""

    def check(_: psycopg.Connection) -> Line:
        name = "connection as rubi_app"
        if password is None:
            return Line(name, None, "its password is not known here: give RUBI_APP_PASSWORD")
        try:
            with psycopg.connect(
                dsn, user="rubi_app", password=password, connect_timeout=10
            ) as app, app.transaction(force_rollback=True):  # fmt: skip
                app.execute(
                    "INSERT INTO users (email, username, hashed_password)"
                    " VALUES ('checklist@example.com', 'checklist', '!')"
                )
                app.execute("SELECT * FROM user_trading_stats")
        except psycopg.Error as error:
            return Line(name, False, str(error).splitlines()[0])
        return Line(name, True, "wrote and read, rolled back")

    return check


def lines(connection: psycopg.Connection, dsn: str, password: str | None) -> Iterator[Line]:
    """The checklist in order; a point that raises an error has failed."""
    try:
        yield from [
            Line(*row)
            for row in connection.execute(
                "SELECT point, is_well, detail FROM monitoring.installation"
            ).fetchall()
        ]
    except psycopg.Error as error:
        yield Line("installation", False, str(error).splitlines()[0])
    for check in (files, from_the_api(dsn, password), monitoring, sqlite):
        try:
            yield check(connection)
        except psycopg.Error as error:
            yield Line(check.__name__.replace("_", " "), False, str(error).splitlines()[0])
