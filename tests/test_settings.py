"""scripts/settings.py: memory and workers for other sizes, and a running server against them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable

import pytest

import settings
from conftest import ROOT, Address
from rubi.cli import Failure
from rubi.servers import settings as by_size

Script = Callable[..., subprocess.CompletedProcess[str]]


def test_4_cores_and_8_gb_give_our_postgresql_conf() -> None:
    text = (ROOT / "postgresql.conf").read_text()
    ours = dict(re.findall(r"^(\w[\w.]*) = (\S+)", text, re.MULTILINE))
    derived = by_size.derive(8192, 4, 200)
    assert derived == {name: ours[name] for name in derived}


@pytest.mark.parametrize("memory", [1024, 4096, 16384, 65536, 524288])
@pytest.mark.parametrize("cores", [1, 2, 16, 128])
@pytest.mark.parametrize("connections", [20, 200, 2000])
def test_any_size_adds_up(memory: int, cores: int, connections: int) -> None:
    derived = by_size.derive(memory, cores, connections)
    size = {name: by_size.comparable(value) / 1024 for name, value in derived.items()}
    assert size["shared_buffers"] <= memory / 4
    assert size["effective_cache_size"] < memory
    assert size["work_mem"] >= 4
    count = {name: int(value) for name, value in derived.items() if value.isdigit()}
    used = count["timescaledb.max_background_workers"] + 1 + count["max_parallel_workers"] + 1
    assert used <= count["max_worker_processes"]
    assert count["max_parallel_workers_per_gather"] <= count["max_parallel_workers"]
    assert size["min_wal_size"] < size["max_wal_size"]


@pytest.mark.parametrize("text", ["8", "512MB", "much", "16TB", "-8GB"])
def test_wrong_memory_is_refused(text: str) -> None:
    with pytest.raises(Failure, match="give at least 1GB"):
        by_size.megabytes(text)


def test_running_server_is_compared(server: Address, run_script: Script) -> None:
    done = run_script(
        "settings.py", "check", "--memory", "8GB", "--cores", "4", "--json", "--dsn", server.dsn()
    )
    assert done.returncode == settings.DIFFERENT, done.stderr
    found = {one["name"]: one for one in json.loads(done.stdout)}
    assert found["max_connections"] == {
        "name": "max_connections", "has": "120", "derived": "200", "same": False,
    }  # fmt: skip
    assert found["max_parallel_workers_per_gather"]["same"]


def test_pages_of_8_kb_are_compared_with_gigabytes() -> None:
    assert by_size.comparable("262144", "8kB") == by_size.comparable("2GB")
