"""Programs beside the server for local clusters, unpacked from Debian.

The machine's own programs are not asked: versions and folders would differ from machine to machine.
"""

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
JAVA = Closure(
    "java",
    "Java",
    ("openjdk-21-jre-headless",),
    programs=("usr/lib/jvm/java-21-openjdk-*/bin/*",),
    instead="install Java 17 or newer",
)


def patroni_folder() -> Path:
    """Folder of patroni, etcd, etcdctl and the Python that runs them."""
    return PATRONI.get() / "usr/bin"


def java_home() -> Path:
    """Folder of a Java of 17 or newer: JAVA_HOME, the machine's, or one unpacked below home()."""
    chosen = os.environ.get("JAVA_HOME")
    found = Path(chosen, "bin/java") if chosen else shutil.which("java")
    if found:
        said = subprocess.run(
            [found, "-version"], capture_output=True, encoding="utf-8", errors="replace"
        ).stderr
        version = re.search(r'version "(\d+)', said)
        if version and int(version[1]) >= 17:
            return Path(found).resolve().parents[1]
        if chosen:
            raise Failure(f"JAVA_HOME={chosen} is no Java 17 or newer: unset or fix it")
    return unpacked_java()


def unpacked_java() -> Path:
    """Folder of the Java unpacked below home()."""
    return next(iter(sorted(JAVA.get().glob("usr/lib/jvm/java-21-openjdk-*"))))
