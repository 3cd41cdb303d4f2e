"""Makes the roles that a backup's roles.sql has and the server lacks."""

import re

import psycopg

# One statement a line, as pg_dumpall writes them.
ROLE = re.compile(r'(?:CREATE|ALTER) ROLE ("(?:[^"]|"")+"|[^\s;]+)')
MEMBER = re.compile(r'GRANT .+? TO ("(?:[^"]|"")+"|[^\s;]+)')


def bare(name: str) -> str:
    """A role's name without quotes."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def restore(server: psycopg.Connection, text: str) -> str:
    """Create missing roles with their attributes, settings and memberships; answers the changes.

    A role that is there already is left as it is. No role gets a password: the dump has none.
    """
    here = {name for (name,) in server.execute("SELECT rolname FROM pg_roles")}
    named = {bare(name) for name in re.findall(r"^CREATE ROLE (\S+);$", text, re.MULTILINE)}
    made = named - here
    for line in text.splitlines():
        found = ROLE.match(line) or MEMBER.match(line)
        if not found or bare(found[1]) not in made:
            continue
        if line.startswith("GRANT"):
            # the grantor may be another role here; a second grant of one right is harmless
            line = re.sub(r" GRANTED BY \S+;$", ";", line)
        server.execute(line)
    return f"{len(made)} of {len(named)} made"
