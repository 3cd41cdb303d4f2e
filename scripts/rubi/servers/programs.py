"""Programs beside the server for tests, local clusters and comparisons, unpacked from Debian.

The machine's own programs are not asked: versions and folders would differ from test to test.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from rubi.cli import Failure
from rubi.servers.debian import Closure

# with a Python of its own: the server's user can't always reach ours
PATRONI = Closure(
    "patroni",
    "Patroni and etcd",
    ("patroni", "python3-etcd", "etcd-server", "etcd-client"),
    programs=("usr/bin/etcd", "usr/bin/etcdctl", "usr/bin/python3.*"),
    instead="use Debian",
)
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
JAVA = Closure(
    "java",
    "Java",
    ("openjdk-21-jre-headless",),
    programs=("usr/lib/jvm/java-21-openjdk-*/bin/*",),
    instead="install Java 17 or newer",
)


def pgbouncer() -> Path:
    """The program."""
    return PGBOUNCER.get() / "usr/sbin/pgbouncer"


def promtool() -> list[str]:
    """The command that checks alert rules."""
    return TOOLS.command("usr/bin/promtool")


def postgres_exporter() -> list[str]:
    """The command that lets Prometheus read the server."""
    return TOOLS.command("usr/bin/prometheus-postgres-exporter")


def pgbadger() -> list[str]:
    """The command that reads the server's logs."""
    return TOOLS.command("usr/bin/pgbadger")


def check_postgres() -> list[str]:
    """The command of Nagios' older check of PostgreSQL."""
    return CHECKS.command("usr/bin/check_postgres")


def check_pgactivity() -> list[str]:
    """The command of Nagios' newer check of PostgreSQL."""
    return CHECKS.command("usr/lib/nagios/plugins/check_pgactivity")


def systemd_analyze() -> list[str]:
    """The command that reads systemd's units."""
    return SYSTEMD.command("usr/bin/systemd-analyze")


def patroni_folder() -> Path:
    """Folder of patroni, etcd, etcdctl and the Python that runs them."""
    return PATRONI.get() / "usr/bin"


def java_home() -> Path:
    """Folder of a Java of 17 or newer: JAVA_HOME, the machine's, or one unpacked below home()."""
    chosen = os.environ.get("JAVA_HOME")
    found = Path(chosen, "bin/java") if chosen else shutil.which("java")
    if found:
        said = subprocess.run([found, "-version"], capture_output=True, text=True).stderr
        version = re.search(r'version "(\d+)', said)
        if version and int(version[1]) >= 17:
            return Path(found).resolve().parents[1]
        if chosen:
            raise Failure(f"JAVA_HOME={chosen} is no Java 17 or newer: unset or fix it")
    return unpacked_java()


def unpacked_java() -> Path:
    """Folder of the Java unpacked below home()."""
    return next(iter(sorted(JAVA.get().glob("usr/lib/jvm/java-21-openjdk-*"))))


def pgloader() -> list[str]:
    """The command that runs pgloader, to compare a move with.

    Its program carries a Lisp image that patchelf would cut off: the unpacked loader starts it.
    """
    return Closure("pgloader", "pgloader", ("pgloader",)).command("usr/bin/pgloader")
