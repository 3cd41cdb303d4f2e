"""Code blocks of the pages, and how each is run.

A comment right above a block says what the block can't: `<!-- as ROLE -->`, `<!-- input: WORDS -->`
(lines on standard input), `<!-- makes NAME -->` (a database to drop afterwards), `<!-- exits N -->`
(codes it may end with), `<!-- slow -->` (among the slow tests), `<!-- without the sample -->` (the
page's database is empty), joined by `;`, `<!-- output -->` (the text is what the block above it
prints; --refresh writes it), or `<!-- not run: REASON -->`, which leaves the syntax to
be checked.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from conftest import ROOT, Address

RUN = ("sh", "sql", "python")
# plans, signatures, diagrams: nothing to run; other tests read the settings and the list of keys
SHOWN = ("text", "mermaid", "toml", "ini", "keys")
MARKS = r"(as \w+|makes \w+|input: [^;]+|exits [\d ]+|slow|without the sample|output)"
FENCE = re.compile(
    r"(?:^<!-- (?P<said>[^\n]*) -->\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.M | re.S
)


@dataclass(frozen=True)
class Block:
    """A code block of a page."""

    page: Path
    line: int
    kind: str
    text: str
    said: str

    @property
    def not_run(self) -> str:
        """Why it can't run here; empty when it does."""
        found = re.match(r"not run: (.+)", self.said)
        return found[1] if found else ""

    @property
    def slow(self) -> bool:
        """Whether it runs among the slow tests only."""
        return "slow" in self.said.split("; ")

    def told(self, name: str, default: str = "") -> str:
        """The text after a word of the comment above."""
        found = re.search(rf"(?:^|; ){name} ([^;]+)", self.said)
        return found[1] if found else default


def pages() -> list[Path]:
    """Pages that people write; the generated ones have a test of their own."""
    found = (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs").glob("[!s]*/*.md"))
    return sorted(path for path in found if path.name != "rights.md")


def blocks(page: Path) -> list[Block]:
    """Fenced blocks of a page, from the top."""
    text = page.read_text()
    return [
        Block(page, text.count("\n", 0, m.start("text")), m["kind"], m["text"], m["said"] or "")
        for m in FENCE.finditer(text)
    ]


def folder_like_the_repository(folder: Path) -> None:
    """Links to everything but the pages, so that what a block writes stays in the folder."""
    for path in ROOT.iterdir():
        if path.name not in ("docs", ".git", "build", ".venv"):
            (folder / path.name).symlink_to(path)
    prepared(folder)
    (folder / "EURUSD_M1_202401020000_202412312359.csv").write_text(
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
        "2024.01.02\t00:00:00\t1.10\t1.12\t1.09\t1.11\t52\t0\t3\n"
        "2024.01.02\t00:01:00\t1.11\t1.12\t1.10\t1.10\t48\t0\t3\n"
    )
    (folder / "f.tsv").write_text("2024.01.02\t00:02:00\t1.1\t1.12\t1.09\t1.11\t52\t0\t3\n")


def prepared(folder: Path) -> None:
    """The .venv of the tests, stamped as what the shell scripts would make: nothing to install."""
    venv = folder / ".venv"
    venv.mkdir()
    for path in Path(sys.prefix).iterdir():
        (venv / path.name).symlink_to(path)
    state = subprocess.run(
        ["bash", "-c", 'echo "$(python3 -V) $(cksum <pyproject.toml)"'], cwd=ROOT, check=True,
        capture_output=True, text=True, env=os.environ | {"PATH": path_of()},
    ).stdout.strip()  # fmt: skip
    for script in (ROOT / "scripts").glob("*.sh"):
        for extras in re.findall(r"^rubi_setup ([\w,]+)$", script.read_text(), re.M):
            stamp = venv / f"stamp-{extras}"
            stamp.unlink(missing_ok=True)
            stamp.write_text(state)


def path_of(server: Address | None = None) -> str:
    """The folders where programs are looked for."""
    first = (str(server.binaries),) if server else ()
    return ":".join((*first, str(Path(sys.executable).parent), os.environ["PATH"]))


def run(
    block: Block,
    server: Address,
    database: str,
    folder: Path,
    more: dict[str, str] | None = None,
    printed: list[str] | None = None,
) -> str:
    """Run a block as a reader would, with more variables; answers the problem, empty when none.

    printed: takes the block's output.
    """
    role = block.told("as", "rubi_app")
    environment = {name: value for name, value in os.environ.items() if name[:2] != "PG"} | {
        "PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": role, "PGDATABASE": database,
        "PATH": path_of(server), "LC_ALL": "C.UTF-8",
    } | (more or {})  # fmt: skip
    command = {
        "sh": ["bash", "-euo", "pipefail", "-c", block.text],
        "sql": ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"],
        # SQLAlchemy warns of its own domain type when it reflects one
        "python": [
            *(sys.executable, "-W", "error", "-W", "ignore:Type object:DeprecationWarning"),
            *("-c", block.text),
        ],
    }[block.kind]
    told = block.told("input:")
    given = block.text if block.kind == "sql" else "".join(f"{word}\n" for word in told.split())
    started = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        cwd=folder, env=environment,
        start_new_session=True,  # without a terminal psql asks for passwords on standard input
    )  # fmt: skip
    try:
        output, _ = started.communicate(given, timeout=90)
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)
        return f"did not end: {started.communicate()[0][-300:]}"
    if printed is not None:
        printed.append("".join(f"{line.rstrip()}\n" for line in output.strip("\n").splitlines()))
    allowed = block.told("exits", "0").split()
    return (
        "" if str(started.returncode) in allowed else f"exit {started.returncode}: {output[-600:]}"
    )
