"""One run of a move, as SQLite and CSV share it: plan, move, prove, report."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Annotated

import psycopg
import typer
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from rubi.cli import Failure, console, print_table
from rubi.connecting import session
from rubi.deploying import locks
from rubi.moving.mapping import ADMINISTRATOR, Move, plan
from rubi.moving.options import Options
from rubi.moving.pipeline import Mover
from rubi.moving.proof import Measure, numbers_of_rejects, prove
from rubi.moving.row_batches import Count
from rubi.moving.sources import START, Source

Zone = Annotated[
    str, typer.Option(help="Zone of times that name none: UTC, Europe/Athens, NY+7 for brokers")
]
Map = Annotated[
    Path | None, typer.Option("--map", help="TOML: names of tables, columns, values, zones")
]
Only = Annotated[list[str] | None, typer.Option(help="Only this table; may be given repeatedly")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Move and prove, then take all of it back")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Commit each batch, and go on where an earlier run ended")
]
Merge = Annotated[
    bool, typer.Option("--merge", help="Into a database that has other users; no id may be shared")
]
LockPasswords = Annotated[
    bool,
    typer.Option(help="Lock users with a password hash of unknown form, instead of rejecting them"),
]
Rejects = Annotated[
    Path | None, typer.Option(help="File for rejected rows; else NAME.rejected.jsonl")
]

Names = tuple[str | None, ...]  # e-mail and username as they are compared


@contextmanager
def connect(dsn: str) -> Iterator[psycopg.Connection]:
    """A session of a role that is a member of rubi_owner."""
    with session(dsn, "migrate", prepare_threshold=None) as connection:
        if not connection.execute("SELECT to_regclass('migration.progress')").fetchone()[0]:
            raise Failure(
                "this database lacks our tables: .venv/bin/python scripts/deploy.py apply"
            )
        yield connection


def begun_at(connection: psycopg.Connection, source: Source) -> str:
    """When the first run of this source began, as text in UTC."""
    return connection.execute(
        "SELECT coalesce(min(started_at), now())::text FROM migration.progress WHERE source = %s",
        [source.name],
    ).fetchone()[0]


def show_plan(moves: Sequence[Move], others: Sequence[str], source: Source) -> None:
    """The target of each table and column, and those without a target."""
    for move in moves:
        name = move.source_table if move.source_table != move.table else ""
        said = [f"{source.count(move.source_table):,} rows"]
        said += [f"from {name}"] if name else []
        said += [f"kept aside: {', '.join(move.leftovers)}"] if move.leftovers else []
        said += [f"missing: {', '.join(move.missing)}"] if move.missing else []
        console.print(f"{move.table}: {', '.join(said)}")
    for name in others:
        try:
            rows = f"{source.count(name):,} rows"
        except Failure as failure:  # a view that is broken, or uses a function of an application
            rows = f"can't be counted ({failure})"
        console.print(f"{name}: {rows}, NOT TAKEN: no table of ours")


def show_count(move: Move, count: Count, seconds: float) -> None:
    """The outcome of a table, and the forms of its times."""
    said = [f"{count.read:,} rows read", f"{count.moved:,} moved"]
    said += [f"{count.there:,} there already"] if count.there else []
    said += [f"{count.rejected:,} REJECTED"] if count.rejected else []
    said.append(f"{count.read / max(seconds, 0.001):,.0f} rows/s")
    console.print(f"{move.table}: {', '.join(said)}")
    for column in move.columns:
        forms = [f"{form} {n:,}" for form, n in column.forms.most_common() if n]
        if column.kind == "time" and forms:
            console.print(f"  {column.name}: {'; '.join(forms)}")


def show_proofs(proofs: dict[str, list[Measure]], counts: dict[str, Count]) -> None:
    """The proof as a table, then every measure that does not hold."""
    table = Table(box=None, pad_edge=False)
    for name in ("table", "source", "here", "rejected", "measures", "hash", "proof"):
        table.add_column(name, justify="left" if name in ("table", "proof") else "right")
    for name, measures in proofs.items():
        rows, rejected = measures[0], counts[name].rejected
        equal = sum(m.holds for m in measures)
        table.add_row(
            name, f"{int(rows.source):,}", f"{int(rows.target) - rejected:,}", f"{rejected:,}",
            f"{equal} of {len(measures)}", measures[-1].target[-8:],
            "equal" if equal == len(measures) else "DIFFERS",
        )  # fmt: skip
    print_table(table)
    for name, measures in proofs.items():
        for measure in measures:
            if not measure.holds:
                console.print(
                    f"{name} {measure.name}: source {measure.source}, here {measure.target}",
                    style="red",
                )


class Rate(ProgressColumn):
    """Rows a second of late."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.completed:,.0f} rows, {task.speed or 0:,.0f}/s")


def bars() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), Rate(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def run_moves(
    connection: psycopg.Connection,
    mover: Mover,
    moves: Sequence[Move],
    after: Callable[[Move, int], None] = lambda move, rows: None,
) -> dict[str, list[Measure]]:
    """Move all tables, then prove each. after is called when a batch is done."""
    totals = {move.table: mover.source.count(move.source_table) for move in moves}
    with bars() as progress:

        def done(move: Move, rows: int) -> None:
            progress.update(task, advance=rows)
            after(move, rows)

        mover.progress = done
        for move in moves:
            began = monotonic()
            task = progress.add_task(move.table, total=totals[move.table])
            count = mover.move(move)
            progress.remove_task(task)
            show_count(move, count, monotonic() - began)
    proofs = {}
    with bars() as progress, connection.transaction():
        for move in moves:
            task = progress.add_task(f"{move.table}: proof", total=totals[move.table])
            read = partial(progress.advance, task)
            proofs[move.table] = prove(connection, mover.source, move, read)
            progress.remove_task(task)
            # a later run counts what was rejected in an earlier one
            mover.counts[move.table].rejected = connection.execute(
                "SELECT count(*) FROM migration.rejects WHERE source = %s AND table_name = %s",
                [mover.source.name, move.table],
            ).fetchone()[0]
    return proofs


@contextmanager
def no_cycles() -> Iterator[None]:
    """Millions of tuples without a cycle: the search for cycles would cost a sixth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def check_writable(path: Path, source: Source) -> None:
    """Raise Failure now rather than after the move, when its rejects can't be written."""
    there = path.exists()
    if there and any(path.samefile(file) for file in source.paths):
        raise Failure(f"{path}: --rejects would replace the source")
    try:
        path.open("ab").close()
    except OSError as error:
        raise Failure(f"{path}: rejected rows can't be written there ({error.strerror})") from error
    if not there:
        path.unlink()


def check_same_source(
    connection: psycopg.Connection, source: Source, moves: Sequence[Move], merge: bool
) -> None:
    """Raise Failure when users that an earlier run brought are others in this source: two files can
    have one name, and the second would give its orders to the users of the first.

    A user is the same while his e-mail or his username is.
    """
    move = next((move for move in moves if move.table == "users"), None)
    state = connection.execute(
        "SELECT last_row FROM migration.progress WHERE source = %s AND table_name = 'users'",
        [source.name],
    ).fetchone()
    if not move or not state:
        return
    users = read_users(connection, source, move, state[0])
    ours = connection.execute(
        "SELECT id::text, lower(email), lower(username) FROM public.users"
    ).fetchall()
    here = {number: names for number, *names in ours}
    numbered = [(number, names) for number, names in users if number in here]
    for number, names in numbered:
        both = [pair for pair in zip(names, here[number], strict=True) if pair[0] is not None]
        if both and not any(theirs == our for theirs, our in both):
            raise other_file(source, f"its user {number} is not the user {number} here")
    known = {name for _, *names in ours for name in names}
    found = numbered or any(name in known for _, names in users for name in names)
    strangers = any(email != ADMINISTRATOR for _, email, _ in ours)
    if users and not found and strangers and not merge:
        raise other_file(source, "its users are not here")


def read_users(
    connection: psycopg.Connection, source: Source, move: Move, last: int
) -> list[tuple[str | None, Names]]:
    """Id and names of the users that an earlier run read and did not reject."""
    rejected = set(numbers_of_rejects(connection, source.name, "users"))
    places = [move.place(name) for name in ("id", "email", "username")]
    found = []
    for rows in source.batches(move.source_table, move.names, START):
        fields, bad = move.convert(rows)
        for index, row in enumerate(rows):
            if row[0] > last:
                return found
            if row[0] in rejected or index in bad:
                continue
            number, *names = [None if p is None else fields[p][index] for p in places]
            found.append((number, tuple(name and name.lower() for name in names)))
    return found


def other_file(source: Source, why: str) -> Failure:
    return Failure(
        f"{source.name}: {why}: another file of this name was moved before. To move this one as "
        "well, rename it and say --merge"
    )


def run_source(
    dsn: str,
    source: Source,
    options: Options,
    rejects: Path,
    *,
    only: Sequence[str] = (),
    dry_run: bool = False,
    resume: bool = False,
    merge: bool = False,
    wait: float = 60,
) -> bool:
    """Move a source; answers whether all its rows came in and all proofs hold. Raises Failure."""
    if dry_run and resume:
        raise Failure("--dry-run takes everything back, --resume commits each batch: choose one")
    check_writable(rejects, source)
    with connect(dsn) as connection, locks.only_runner(connection, wait), no_cycles():
        made = begun_at(connection, source)
        moves, others = plan(connection, source, options, only, made)
        show_plan(moves, others, source)
        mover = Mover(connection, source, made=made, resume=resume, merge=merge)
        mover.check_states(moves)
        # of all tables: orders hang on users that --only leaves out
        check_same_source(connection, source, plan(connection, source, options)[0], merge)
        began = monotonic()
        with nullcontext() if resume else connection.transaction(force_rollback=dry_run):
            proofs = run_moves(connection, mover, moves)
            show_proofs(proofs, mover.counts)
            proven = all(m.holds for measures in proofs.values() for m in measures)
            if not proven and not resume and not any(c.there for c in mover.counts.values()):
                raise Failure("the moved rows differ from the source's: all of them are taken back")
            refused = mover.write_rejects(rejects)
    rows = sum(count.read for count in mover.counts.values())
    seconds = monotonic() - began
    console.print(
        f"{rows:,} rows in {seconds:.1f} s"
        + (f", {refused:,} rejected: see {rejects}" if refused else "")
        + ("; no row was kept, as in every dry run" if dry_run else "")
    )
    return proven and not refused
