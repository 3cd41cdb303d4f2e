"""Findings of other people's checks in this database, each answered in docs/reference/tools.md."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from pathlib import Path

import psycopg
import pytest

import bodies
import tools
from conftest import ROOT, Address

PAGE = (ROOT / "docs/reference/tools.md").read_text()

CHECK_POSTGRES = {
    "archive_ready": "", "autovac_freeze": "", "backends": "", "bloat": "", "commitratio": "-c 50%",
    "connection": "", "database_size": "-c 100GB", "disabled_triggers": "", "hitratio": "-c 50%",
    "index_size": "-c 10GB", "locks": "", "prepared_txns": "",
    "query_runtime": "--queryname=monitoring.health -c 20", "relation_size": "-c 10GB",
    "replication_slots": "-c 1GB", "sequence": "", "table_size": "-c 10GB",
    "txn_wraparound": "", "wal_files": "-c 1000", "total_relation_size": "-c 10GB",
}  # fmt: skip
LIMITS = "-w 1d -c 2d"
CHECK_PGACTIVITY = {
    "autovacuum": "", "backends": "-w 80% -c 90%", "backends_status": "", "connection": "",
    "commit_ratio": "", "database_size": "-w size=50GB -c size=90GB", "hit_ratio": "-w 1% -c 1%",
    "invalid_indexes": "", "is_master": "", "longest_query": LIMITS, "table_unlogged": "",
    "max_freeze_age": "-w 80% -c 90%", "oldest_2pc": LIMITS, "oldest_idlexact": LIMITS,
    "sequences_exhausted": "-w 80% -c 90%", "settings": "", "uptime": "", "wal_files": "",
    "temp_files": "-w size=1GB -c size=2GB", "bgwriter": "", "archiver": "",
    "btree_bloat": "-w 50% -c 80%", "table_bloat": "-w 50% -c 80%",
}  # fmt: skip


def said(command: list[str], server: Address, dbname: str, *arguments: str) -> tuple[int, str]:
    """Exit code and output of a check that asks as rubi_monitor."""
    done = subprocess.run(
        [*command, *arguments],
        env=os.environ
        | {
            "PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": "rubi_monitor",
            "PGDATABASE": dbname, "LC_ALL": "C.UTF-8",
            "PATH": f"{server.binaries}:{os.environ['PATH']}",
        },
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("action", CHECK_POSTGRES)
def test_check_postgres_is_content(server: Address, shared_database: str, action: str) -> None:
    code, text = said(
        tools.command("check_postgres"), server, shared_database, f"--action={action}",
        *CHECK_POSTGRES[action].split(),
    )  # fmt: skip
    assert code == 0, text


@pytest.mark.slow
@pytest.mark.parametrize("service", CHECK_PGACTIVITY)
def test_check_pgactivity_is_content_or_answered(
    server: Address, shared_database: str, tmp_path: Path, service: str
) -> None:
    code, text = said(
        tools.command("check_pgactivity"), server, shared_database, "-s", service,
        "--dbinclude", f"^{shared_database}$", "--status-file", str(tmp_path / "status"),
        *CHECK_PGACTIVITY[service].split(),
    )  # fmt: skip
    assert code == 0 or f"| check_pgactivity | `{service}` |" in PAGE, text


def answers_of_plpgsql_check() -> list[tuple[str, set[str]]]:
    """Kinds of findings with the functions that tools.md answers for; no name: for all."""
    rows = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| plpgsql_check |")]
    return [(kind, set(re.findall(r"`(\w+)`", where))) for _, kind, where, _ in rows]


def test_every_finding_of_plpgsql_check_is_answered(db: psycopg.Connection) -> None:
    """All its warnings are on; tools.md answers them by kind, with the functions named."""
    answers = answers_of_plpgsql_check()
    assert len(answers) > 5
    db.execute("SET client_min_messages = error")
    db.execute("CREATE EXTENSION plpgsql_check")
    db.execute("SELECT stage_bars(), stage_ticks()")
    found: Counter[str] = Counter()
    for name, relation, new_rows in bodies.checked_functions(db):
        complaints = db.execute(
            "SELECT level, message FROM plpgsql_check_function_tb(%s, %s, all_warnings => TRUE,"
            " oldtable => CASE WHEN %s > 0 THEN 'old_rows'::name END,"
            " newtable => CASE WHEN %s > 0 THEN %s::name END)",
            [name, relation, relation, relation, new_rows],
        ).fetchall()
        for level, message in complaints:
            kind = " ".join(word for word in message.split() if '"' not in word)
            function = name.partition("(")[0].rpartition(".")[2]
            if level == "error":
                continue  # those are tests/test_function_bodies.py's
            if not any(k == kind and (not named or function in named) for k, named in answers):
                found[f"{name}: {level}: {kind}"] += 1
    assert found == {}
