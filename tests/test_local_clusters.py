"""The scripts that start clusters of this machine say their address, and leave nothing behind."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest

from rubi import ROOT
from rubi.servers import programs

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("script", ["ha_cluster.py", "spark_cluster.py"])
def test_a_cluster_says_its_address_and_ends_when_told(script: str) -> None:
    process = subprocess.Popen(
        [sys.executable, ROOT / "scripts" / script],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    address = process.stdout.readline().strip()
    if script == "ha_cluster.py":
        with psycopg.connect(address) as connection:
            assert connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)
    else:
        assert address.startswith("spark://127.0.0.1:")
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (143, "stopped by a signal\n")
    if script == "ha_cluster.py":
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(address)


def test_java_of_debian_runs_where_the_machine_has_none() -> None:
    java = programs.unpacked_java() / "bin/java"
    assert subprocess.run([java, "-version"], capture_output=True).returncode == 0
