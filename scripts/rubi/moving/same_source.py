"""Whether a source is the one that an earlier run of its name read, which ids alone do not tell.

Two files can have one name. Taken for the first, the second would give its orders to the first
one's users.
"""

from collections.abc import Sequence

import psycopg

from rubi.cli import Failure
from rubi.moving.mapping import ADMINISTRATOR, Move
from rubi.moving.proof import numbers_of_rejects
from rubi.moving.sources import START, Source

Names = tuple[str | None, ...]  # e-mail and username as they are compared


def check_same_source(
    connection: psycopg.Connection, source: Source, moves: Sequence[Move], merge: bool
) -> None:
    """Raise Failure when users that an earlier run brought are others in this source.

    A user is the same while his e-mail or his username is.
    """
    move = next((move for move in moves if move.table == "users"), None)
    state = connection.execute(
        "SELECT last_row FROM migration.progress WHERE source = %s AND table_name = 'users'",
        [source.name],
    ).fetchone()
    if not move or not state:
        return
    users = read_users(connection, source, move, state[0])
    ours = connection.execute(
        "SELECT id::text, lower(email), lower(username) FROM public.users"
    ).fetchall()
    here = {number: names for number, *names in ours}
    numbered = [(number, names) for number, names in users if number in here]
    for number, names in numbered:
        both = [pair for pair in zip(names, here[number], strict=True) if pair[0] is not None]
        if both and not any(theirs == our for theirs, our in both):
            raise other_file(source, f"its user {number} is not the user {number} here")
    known = {name for _, *names in ours for name in names}
    found = numbered or any(name in known for _, names in users for name in names)
    strangers = any(email != ADMINISTRATOR for _, email, _ in ours)
    if users and not found and strangers and not merge:
        raise other_file(source, "its users are not here")


def read_users(
    connection: psycopg.Connection, source: Source, move: Move, last: int
) -> list[tuple[str | None, Names]]:
    """Id and names of the users that an earlier run read and did not reject."""
    rejected = set(numbers_of_rejects(connection, source.name, "users"))
    places = [move.place(name) for name in ("id", "email", "username")]
    found = []
    for rows in source.batches(move.source_table, move.names, START):
        fields, bad = move.convert(rows)
        for index, row in enumerate(rows):
            if row[0] > last:
                return found
            if row[0] in rejected or index in bad:
                continue
            number, *names = [None if p is None else fields[p][index] for p in places]
            found.append((number, tuple(name and name.lower() for name in names)))
    return found


def other_file(source: Source, why: str) -> Failure:
    return Failure(
        f"{source.name}: {why}: another file of this name was moved before. To move this one as "
        "well, rename it and say --merge"
    )
