"""Programs of others that tests and benchmarks run, unpacked from Debian.

The machine's own programs are not asked: versions and folders would differ from test to test.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from rubi.servers import embedded
from rubi.servers.debian import Closure

PGBOUNCER = Closure(
    "pgbouncer",
    "PgBouncer",
    ("pgbouncer",),
    programs=("usr/sbin/pgbouncer",),
    instead="install pgbouncer",
)
TOOLS = Closure(
    "tools",
    "promtool, Prometheus' exporter and pgBadger",
    ("promtool", "prometheus-postgres-exporter", "pgbadger"),
)
CHECKS = Closure(
    "checks",
    "check_postgres and check_pgactivity",
    ("check-postgres", "check-pgactivity"),
)
SYSTEMD = Closure("systemd", "systemd-analyze", ("systemd",))
# a program that carries a Lisp image, which patchelf would cut off: the unpacked loader starts it
PGLOADER = Closure("pgloader", "pgloader", ("pgloader",))
COMMANDS = {
    "promtool": (TOOLS, "usr/bin/promtool"),
    "postgres_exporter": (TOOLS, "usr/bin/prometheus-postgres-exporter"),
    "pgbadger": (TOOLS, "usr/bin/pgbadger"),
    "check_postgres": (CHECKS, "usr/bin/check_postgres"),
    "check_pgactivity": (CHECKS, "usr/lib/nagios/plugins/check_pgactivity"),
    "systemd_analyze": (SYSTEMD, "usr/bin/systemd-analyze"),
    "pgloader": (PGLOADER, "usr/bin/pgloader"),
}


def command(name: str) -> list[str]:
    """How a program is started."""
    closure, path = COMMANDS[name]
    return closure.command(path)


def pgbouncer() -> Path:
    """The program."""
    return PGBOUNCER.get() / "usr/sbin/pgbouncer"


def pgbackrest(major: int = embedded.DEFAULT_MAJOR) -> Path:
    """pgBackRest: the machine's, or the one unpacked beside the server."""
    found = shutil.which("pgbackrest")
    return Path(found) if found else embedded.unpacked(major).parents[3] / "bin/pgbackrest"
