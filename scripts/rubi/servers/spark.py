"""A standalone Spark of this machine, for spark_cluster.py and tests."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from rubi.cli import Failure
from rubi.servers import embedded, programs
from rubi.waiting import until


@dataclass(frozen=True)
class SparkCluster:
    url: str
    status_url: str
    master: subprocess.Popen
    workers: list[subprocess.Popen]

    def alive(self) -> int:
        """The number of workers that the master counts as alive; 0 while it does not answer."""
        try:
            with urlopen(self.status_url, timeout=5) as answer:
                return json.load(answer)["aliveworkers"]
        except (OSError, ValueError):
            return 0


def launch(folder: Path, name: str, *arguments: str) -> subprocess.Popen:
    """Start a daemon of Spark in the foreground; the kernel ends it with us."""
    import pyspark

    home = Path(pyspark.__file__).parent
    environment = os.environ | {
        "JAVA_HOME": str(programs.java_home()), "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "256m",
        "PYSPARK_PYTHON": sys.executable,
    }  # fmt: skip
    prefix = ["setpriv", "--pdeathsig=TERM", "--"] if shutil.which("setpriv") else []
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [*prefix, home / "bin/spark-class", *arguments],
            env=environment, stdout=log, stderr=log, cwd=folder, start_new_session=True,
        )  # fmt: skip


def end(process: subprocess.Popen) -> None:
    """Stop a daemon and what it started."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)
    except ProcessLookupError:
        pass
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def last_error(folder: Path) -> str:
    lines = [
        line
        for log in folder.glob("*.log")
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
        if " ERROR " in line or line.startswith("Error")
    ]
    return (lines or ["no reason given"])[-1]


@contextmanager
def running(workers: int = 2, memory: str = "1g") -> Iterator[SparkCluster]:
    """Start a cluster with a core and this memory for each worker; stop it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="rubi-spark-", dir="/var/tmp"))
    started: list[subprocess.Popen] = []
    port, page = embedded.free_port(), embedded.free_port()
    url = f"spark://127.0.0.1:{port}"
    try:
        started.append(
            launch(
                folder, "master", "org.apache.spark.deploy.master.Master",
                "--host", "127.0.0.1", "--port", str(port), "--webui-port", str(page),
            )
        )  # fmt: skip
        for number in range(workers):
            started.append(
                launch(
                    folder, f"worker{number}", "org.apache.spark.deploy.worker.Worker",
                    "--host", "127.0.0.1", "--cores", "1", "--memory", memory,
                    "--work-dir", str(folder / f"work{number}"), "--webui-port", "0", url,
                )
            )  # fmt: skip
        cluster = SparkCluster(url, f"http://127.0.0.1:{page}/json/", started[0], started[1:])

        def has_come_up() -> bool:
            if any(one.poll() is not None for one in started):
                raise Failure(f"Spark did not start: {last_error(folder)}")
            return cluster.alive() >= workers

        until(f"{workers} workers of Spark", has_come_up, 120, pause=0.2)
        yield cluster
    finally:
        for process in reversed(started):
            end(process)
        shutil.rmtree(folder, ignore_errors=True)
