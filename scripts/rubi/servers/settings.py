"""Memory and workers of a server by the size of its machine."""

import re

from rubi.cli import Failure

# settings that need a restart or belong to the service
UNITS = {"kB": 1, "8kB": 8, "MB": 1024, "GB": 1024**2, "TB": 1024**3}


def megabytes(text: str) -> int:
    """16GB or 8192MB in MB. Raises Failure for anything else."""
    match = re.fullmatch(r"(\d+) ?(MB|GB)", text)
    if not match or not (size := int(match[1]) * (1024 if match[2] == "GB" else 1)) >= 1024:
        raise Failure(f"memory {text}: give at least 1GB, as 16GB or 8192MB")
    return size


def clamp(value: float, low: int, high: int) -> int:
    return int(max(low, min(value, high)))


def shown(mb: int) -> str:
    return f"{mb // 1024}GB" if mb % 1024 == 0 else f"{mb}MB"


def derive(memory: int, cores: int, connections: int) -> dict[str, str]:
    """Settings for memory in MB. A quarter is shared_buffers, as PostgreSQL's manual says; three
    eighths are for all connections that sort at the same time; the rest is the system's cache."""
    parallel = cores
    gather = clamp(cores / 2, 1, 8)
    timescale = clamp(cores * 2, 8, 64)
    return {
        "max_connections": str(connections),
        "shared_buffers": shown(clamp(memory / 4, 256, 65536)),
        "effective_cache_size": shown(memory * 3 // 4),
        "work_mem": shown(clamp(memory * 200 / 512 / connections, 4, 256)),
        "maintenance_work_mem": shown(clamp(memory / 16, 64, 2048)),
        "wal_buffers": "16MB",
        "max_wal_size": shown(clamp(memory / 4, 1024, 65536)),
        "min_wal_size": shown(clamp(memory / 8, 512, 8192)),
        "timescaledb.max_background_workers": str(timescale),
        # TimescaleDB's and its launcher, parallel ones, logical replication's launcher, 2 to spare
        "max_worker_processes": str(timescale + 1 + parallel + 1 + 2),
        "max_parallel_workers": str(parallel),
        "max_parallel_workers_per_gather": str(gather),
        "max_parallel_maintenance_workers": str(gather),
        "autovacuum_max_workers": str(clamp(cores / 4, 3, 10)),
    }


def comparable(value: str, unit: str | None = None) -> float | str:
    """A size in kB or a number, so that 2GB equals 262144 pages of 8kB."""
    if match := re.fullmatch(r"(\d+)(kB|MB|GB|TB)?", value):
        return int(match[1]) * UNITS.get(match[2] or unit or "", 1)
    return value
