"""The numbered SQL files: found, ordered, cut into statements, run with errors that name the line.

Files in schema/ and indexes/ run once. Files in functions/, views/, triggers/, seed/ and grants/
run when their text changed; when one is due, all later ones of this kind run too.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psycopg

from rubi import ROOT
from rubi.cli import Failure, one_line

ONCE = ("schema", "indexes")
CHANGED = ("functions", "views", "triggers", "seed", "grants")
ALONE = re.compile(r"(?:--[^\n]*\n)*-- no-transaction: \S")
TOKEN = re.compile(
    r"""--[^\n]*|/\*.*?\*/                         # comments
    |\b[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'     # strings
    |"(?:[^"]|"")*"|(?P<tag>\$(?:[^\W\d]\w*)?\$).*?(?P=tag)
    |\w[\w$]*|;|\S""",
    re.DOTALL | re.VERBOSE,
)
BLOCK_LINE = re.compile(r"inline_code_block line (\d+)")


@dataclass(frozen=True)
class File:
    """A numbered file: its path in the repository and its text with normalised line ends."""

    path: str
    text: str

    @property
    def number(self) -> str:
        """Its place in the order."""
        return Path(self.path).name[:4]

    @property
    def once(self) -> bool:
        """Whether the file is frozen once applied."""
        return self.path.startswith(tuple(f"{folder}/" for folder in ONCE))

    @property
    def alone(self) -> bool:
        """Whether the file says that it can't run in a transaction."""
        return ALONE.match(self.text) is not None

    @cached_property
    def sha256(self) -> str:
        """As deploy.record_file computes it."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class SqlFailure(Failure):
    """A failed statement of a file: a line with file, number and cause."""

    def __init__(self, file: File, line: int | None, error: psycopg.Error) -> None:
        place = f"{file.path}:{line}" if line else file.path
        super().__init__(f"{place}: {cause(error)}")
        self.error = error


def read_files(root: Path = ROOT) -> list[File]:
    """All numbered files in the order of their numbers.

    Raises Failure for a name without a number, a number used twice, or text that is not UTF-8.
    """
    found: dict[str, File] = {}
    for folder in (*ONCE, *CHANGED):
        for path in sorted((root / folder).glob("*.sql")):
            number = path.name[:4]
            if not re.fullmatch(r"\d{4}_\w+\.sql", path.name):
                raise Failure(f"{folder}/{path.name}: the name must be NNNN_topic.sql")
            if number in found:
                raise Failure(f"{folder}/{path.name}: {found[number].path} has the same number")
            try:
                text = path.read_text(encoding="utf-8").replace("\r\n", "\n").rstrip("\n")
            except (OSError, UnicodeDecodeError) as error:
                raise Failure(f"{folder}/{path.name} can't be read: {error}") from error
            found[number] = File(f"{folder}/{path.name}", text)
    if not found:
        raise Failure(f"{root}: no numbered SQL files here")
    return [found[number] for number in sorted(found)]


def statements(text: str) -> Iterator[tuple[int, str]]:
    """Each statement with the position of its first character, comments before it left out."""
    begin = None
    before, open_blocks = "", 0  # a body BEGIN ATOMIC ... END has semicolons of its own
    for token in TOKEN.finditer(text):
        if token[0].startswith(("--", "/*")):
            continue
        word = token[0].upper()
        if before == "BEGIN" and word == "ATOMIC":
            open_blocks = 1
        elif open_blocks and word in ("CASE", "END"):
            open_blocks += 1 if word == "CASE" else -1
        before = word
        if token[0] == ";" and not open_blocks:
            if begin is not None:
                yield begin, text[begin : token.start()]
            begin = None
        elif begin is None:
            begin = token.start()
    if begin is not None:
        yield begin, text[begin:].rstrip()


def run_statements(connection: psycopg.Connection, file: File, *, in_scratch: bool = False) -> None:
    """Run a file statement by statement, as psql does. Raises SqlFailure.

    in_scratch: the database is empty and all runs in one transaction, where an index can't be built
    concurrently, and need not be.
    """
    text = file.text
    if in_scratch and file.alone:
        # blanks keep the positions
        for pattern in (r"\bCONCURRENTLY\b", r"WITH \(timescaledb\.transaction_per_chunk\)"):
            text = re.sub(pattern, lambda found: " " * len(found[0]), text, flags=re.IGNORECASE)
    for begin, statement in statements(text):
        try:
            connection.execute(statement)
        except psycopg.Error as error:
            raise SqlFailure(file, line_of(text, begin, statement, error), error) from error


def line_of(text: str, begin: int, statement: str, error: psycopg.Error) -> int:
    """Line of the file that an error in one of its statements belongs to."""
    if position := error.diag.statement_position:
        begin += int(position) - 1
    elif found := BLOCK_LINE.findall(error.diag.context or ""):
        # PL/pgSQL counts the lines of a DO block from its opening quote
        begin += statement.index("$")
        return text.count("\n", 0, begin) + int(found[-1])
    return text.count("\n", 0, begin) + 1


def cause(error: psycopg.Error) -> str:
    """An error's message in one line; with its detail where the detail can't hold personal data."""
    said = one_line(error)
    if (error.sqlstate or "").startswith(("42", "0A", "2B", "58")) and error.diag.message_detail:
        said += f": {error.diag.message_detail}"
    return " ".join(said.split())
