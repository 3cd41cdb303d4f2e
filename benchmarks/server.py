"""A server of its own for a measurement: ended with it, its data removed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rubi.servers import clusters, embedded


class Server(clusters.Cluster):
    """A server that tells what its backends have used."""

    def cpu_seconds(self) -> float:
        """Processor time of all backends that have ended; 0 where the system does not tell (/proc).

        A machine that others use too changes a rate more than it changes this.
        """
        status = Path(f"/proc/{self.pid}/stat")
        if not status.exists():
            return 0.0
        with self.connect() as connection:
            while connection.execute(
                "SELECT FROM pg_stat_activity WHERE usename = 'rubi_app'"
            ).rowcount:
                time.sleep(0.05)
        time.sleep(0.2)  # what has left the list is gone a moment later
        fields = status.read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(major: int, settings: dict[str, str], kept: Path | None = None) -> Iterator[Server]:
    """Start a server with postgresql.conf, clusters.SETTINGS and the settings; remove it after.

    A folder that is to be kept is left, and taken up again by the next call.
    """
    folder = embedded.owned_folder(kept) if kept else clusters.new_folder("benchmark")
    server = Server(folder, embedded.binaries(major), settings)
    try:
        if not (folder / "data").exists():
            server.create()
        server.start()
        yield server
    finally:
        if kept:
            server.stop()
        else:
            server.remove()
