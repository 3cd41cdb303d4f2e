"""Loads real reports and dumps of a folder, each into an account of its own, and judges them.

    PGDATABASE=scratch .venv/bin/python benchmarks/mt5_samples.py FOLDER

For each file a row: rows in, rejected; whether the sums of its deals equal an independent reading
(openpyxl, or tags cut off by a pattern); MT5's own results that ours equal; proofs that fail;
seconds and memory of the whole process. Nothing of the files is kept but in the scratch database.
"""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import psycopg

from rubi.cli import console

ROOT = Path(__file__).resolve().parent.parent
TIME = re.compile(r"\d{4}\.\d\d\.\d\d \d\d:\d\d:\d\d")
ROW = re.compile(r"<tr[^>]*>(.*?)</tr>", re.S)
CELL = re.compile(r"<t[dh]([^>]*)>(.*?)</t[dh]>", re.S)


def cells_of(path: Path) -> list[list[str]]:
    """All rows of a report by other means than the loader's."""
    if path.suffix == ".xlsx":
        from openpyxl import load_workbook

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sheet = load_workbook(path, read_only=True).worksheets[0]
        sheet.reset_dimensions()
        return [["" if c is None else str(c) for c in row] for row in sheet.values]
    text = path.read_bytes().decode("utf-16", "ignore")
    return [
        [re.sub(r"<[^>]*>|&nbsp;", " ", body).strip() for kind, body in CELL.findall(row)
         if "hidden" not in kind]
        for row in ROW.findall(text)
    ]  # fmt: skip


def sums_of(path: Path) -> tuple[int, Decimal] | None:
    """Number of deals, and all that they moved; None for what has no such rows."""
    count, total = 0, Decimal(0)
    for row in cells_of(path):
        row += [""] * (14 - len(row))
        if not TIME.fullmatch(row[0]) or TIME.fullmatch(row[8]) or not row[1].isdigit():
            continue
        if row[3] in ("buy", "sell") and row[4] not in ("in", "out", "in/out", "out by"):
            continue  # a position that is open
        if row[3] not in ("buy", "sell") and row[4]:
            continue  # an order that waits
        count += 1
        total += sum(Decimal(re.sub(r"\s", "", text) or "0") for text in row[8:12])
    return (count, total) if count else None


def run(path: Path, extra: list[str]) -> tuple[int, str, float, int]:
    """Exit code, output, seconds and kB of one load."""
    done = subprocess.run(
        ["/usr/bin/env", "time", "-f", "%e %M", sys.executable, ROOT / "scripts/load_mt5.py", path,
         *extra],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    *lines, figures = done.stderr.strip().splitlines()
    seconds, memory = figures.split()
    said = done.stdout + "\n".join(line for line in lines if not line.startswith("Command exited"))
    return done.returncode, said, float(seconds), int(memory)


def main(folder: Path) -> None:
    """A row for each file."""
    console.print(
        "file | rows in | rejected | sums | MT5's results | proofs | seconds | MB | outcome"
    )
    with psycopg.connect(autocommit=True) as connection:
        connection.execute(
            "INSERT INTO users (email, username, hashed_password) VALUES"
            " ('samples@example.com', 'samples', '!') ON CONFLICT DO NOTHING"
        )
        for path in sorted(folder.iterdir()):
            extra = ["--server-clock", "NY+7", "--user", "samples"]
            if path.suffix == ".json" and "account" not in path.name:
                spare = connection.execute(
                    "INSERT INTO mt5_accounts (user_id, server, account_number, broker)"
                    " SELECT u.id, 'Sample-Server', %s, 'Sample' FROM users AS u"
                    " WHERE u.username = 'samples' RETURNING id",
                    [path.name],
                ).fetchone()[0]
                extra += ["--account", str(spare)]
            code, said, seconds, memory = run(path, extra)
            counted = re.findall(r"(\d[\d,]*) (inserted|updated|unchanged|rejected)", said)
            number = {name: 0 for _, name in counted}
            for amount, name in counted:
                number[name] += int(amount.replace(",", ""))
            sums, results = "-", "-"
            if match := re.search(r"account_id (\d+)\n", said):
                mine = sums_of(path)
                theirs = connection.execute(
                    "SELECT count(*), sum(profit + commission + swap + fee) FROM trading_deals"
                    " WHERE account_id = %s", [match[1]],
                ).fetchone()  # fmt: skip
                sums = "equal" if mine == theirs else f"{mine} {theirs}"
                results = connection.execute(
                    "SELECT count(*) FILTER (WHERE is_equal) || ' of ' || count(*)"
                    " FROM mt5_report_figures WHERE account_id = %s", [match[1]],
                ).fetchone()[0]  # fmt: skip
            failing = connection.execute(
                "SELECT count(*) FROM monitoring.proofs WHERE violations > 0"
            ).fetchone()[0]
            outcome = "loaded" if code == 0 else said.strip().splitlines()[-1][:150]
            console.print(
                f"{path.name} | {sum(number.values())} | {number.get('rejected', 0)} | {sums} |"
                f" {results} | {failing} | {seconds:.1f} | {memory / 1024:.0f} | {code} {outcome}",
                markup=False, soft_wrap=True,
            )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
