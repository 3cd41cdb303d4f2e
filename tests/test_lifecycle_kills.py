"""Thinning, archiving and dropping, ended at any moment: nothing lost, nothing twice, and the next
run goes on."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

import rows
from rubi import ROOT

MEASURED = """
    SELECT l.relation, coalesce(sum(m.row_count), 0) + d.row_count,
        coalesce(sum(m.row_hash), 0) + d.row_hash
    FROM monitoring.lifecycle AS l
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(a.row_count), 0) AS row_count, coalesce(sum(a.row_hash), 0) AS row_hash
        FROM monitoring.archives AS a
        WHERE a.relation = l.relation AND a.dropped_at IS NOT NULL
    ) AS d
    LEFT JOIN LATERAL internal.measure_rows(
        l.relation::regclass, l, '1990-01-01 00:00+00', '2100-01-01 00:00+00'
    ) AS m ON TRUE
    WHERE l.way = 'archived'
    GROUP BY l.relation, d.row_count, d.row_hash
    ORDER BY 1
"""
CURVE = "SELECT * FROM daily_equity ORDER BY account_id, day"
LEFT = "SELECT session_id, timestamp FROM account_snapshots ORDER BY 1, 2"
EXPECTED = """
    SELECT s.session_id, s.timestamp
    FROM account_snapshots AS s
    WHERE NOT EXISTS (
        SELECT FROM monitoring.lifecycle_steps() AS t
        CROSS JOIN LATERAL internal.find_spare_snapshots(
            split_part(t.step, ' ', 4), t.range_start, t.range_end
        ) AS f
        WHERE t.step LIKE 'thin to the %' AND f.session_id = s.session_id AND f.at = s.timestamp
    )
    ORDER BY 1, 2
"""


@dataclass
class Platform:
    """A database with old rows, and the folder of its archive."""

    db: psycopg.Connection
    folder: Path
    chance: random.Random

    def fill(self) -> None:
        """Rows of which most are old enough to leave."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.db.execute("TRUNCATE market_ticks, audit.changes, account_snapshots")
        self.db.execute("TRUNCATE monitoring.archives, monitoring.thinned_days")
        self.db.execute(
            "INSERT INTO market_ticks (symbol, timestamp, bid) SELECT s, t, random()"
            " FROM generate_series(now() - interval '120 days', now() - interval '80 days',"
            " '1 hour') AS t CROSS JOIN unnest(ARRAY['A', 'B']) AS s"
        )
        self.db.execute(
            "INSERT INTO audit.changes (changed_at, table_name, row_id, action)"
            " SELECT now() - interval '1 day' * n, 'users', n, 'UPDATE'"
            " FROM generate_series(330, 500) AS n"
        )
        session = rows.session(self.db, rows.user(self.db), server="s", account_number="7")
        self.db.execute("CALL monitoring.make_snapshot_chunks(now() - interval '70 days', now())")
        self.db.execute(
            "INSERT INTO account_snapshots (session_id, timestamp, balance, equity)"
            " SELECT %s, t, 1000 + round(sum(random() - 0.5) OVER (ORDER BY t)), 1000 +"
            " round(100 * sum(random() - 0.5) OVER (ORDER BY t)) FROM generate_series("
            " now() - interval '70 days', now() - interval '25 days', '7 minutes') AS t",
            [session],
        )
        self.measured = self.db.execute(MEASURED).fetchall()
        self.curve = self.db.execute(CURVE).fetchall()
        self.expected = self.db.execute(EXPECTED).fetchall()

    def start(self, command: str) -> subprocess.Popen[bytes]:
        info = self.db.info
        return subprocess.Popen(
            [sys.executable, str(ROOT / "scripts/archive.py"), command, str(self.folder)],
            env=os.environ | {"PGHOST": info.host, "PGPORT": str(info.port), "PGUSER": "rubi_admin",
                              "PGDATABASE": info.dbname},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def kill_script(self, command: str) -> bool:
        """Whether the script was at work when it was ended."""
        running = self.start(command)
        deadline = time.monotonic() + 60
        while running.poll() is None and not self.at_work() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(self.chance.uniform(0, 1.5))
        running.kill()
        return running.wait(60) < 0

    def at_work(self) -> bool:
        return bool(
            self.db.execute(
                "SELECT FROM pg_stat_activity WHERE application_name = 'rubi archive'"
                " AND datname = current_database()"
            ).rowcount
        )

    def kill_session(self) -> bool:
        """The same of a session that follows the policies, ended by the server."""
        info, ended = self.db.info, []
        dsn = f"host={info.host} port={info.port} user=rubi_admin dbname={info.dbname}"
        with psycopg.connect(dsn, autocommit=True) as follower:

            def follow() -> None:
                try:
                    follower.execute("CALL public.follow_lifecycle(p_files_verified => TRUE)")
                except psycopg.OperationalError:
                    ended.append(True)

            thread = threading.Thread(target=follow)
            thread.start()
            time.sleep(self.chance.uniform(0, 0.3))
            self.db.execute("SELECT pg_terminate_backend(%s)", [follower.info.backend_pid])
            thread.join(60)
        return bool(ended)

    def prove(self) -> None:
        """Rows here and rows of dropped files are all rows, once; curves are what they were."""
        self.wait_for_sessions()
        assert self.db.execute(MEASURED).fetchall() == self.measured
        assert self.db.execute(CURVE).fetchall() == self.curve

    def wait_for_sessions(self) -> None:
        """What a killed client asked for last ends by itself."""
        deadline = time.monotonic() + 60
        while self.at_work():
            assert time.monotonic() < deadline, "a session of a killed script is at work"
            time.sleep(0.05)

    def finish(self) -> None:
        """Undisturbed runs, as each night's, complete what was begun."""
        for command in ("write", "drop"):
            assert self.start(command).wait(300) == 0
        self.prove()
        assert self.db.execute(LEFT).fetchall() == self.expected
        assert self.db.execute("SELECT * FROM monitoring.lifecycle_steps()").fetchall() == []
        files = sorted(str(p.relative_to(self.folder)) for p in self.folder.rglob("*.parquet"))
        assert files == [
            name
            for (name,) in self.db.execute("SELECT location FROM monitoring.archives ORDER BY 1")
        ]
        assert self.start("verify").wait(300) == 0


@pytest.mark.parametrize("kills", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_killed_at_any_moment_nothing_is_lost_and_the_next_run_goes_on(
    db: psycopg.Connection, tmp_path: Path, kills: int
) -> None:
    platform = Platform(db, tmp_path / "archive", random.Random(28))
    db.execute(
        "DELETE FROM monitoring.lifecycle WHERE relation LIKE 'public.mt5_%' AND way = 'archived'"
    )
    hit = {"write": 0, "drop": 0, "session": 0}
    platform.fill()
    while sum(hit.values()) < kills:
        kind = platform.chance.choice([*hit, min(hit, key=hit.get)])
        done = platform.kill_session() if kind == "session" else platform.kill_script(kind)
        hit[kind] += done
        platform.prove()
        if not db.execute("SELECT FROM monitoring.lifecycle_steps()").rowcount:
            platform.finish()
            platform.fill()
    platform.finish()
    assert sum(hit.values()) >= kills
    assert kills < 100 or min(hit.values()) > 20, hit
