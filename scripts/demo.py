"""A running trading database on real market data: server, schema, bars, and a replayed strategy.

Without a command: everything is made ready and shown. RUBI_SERVER_URL names a server to use instead
of the embedded one, RUBI_DEMO_PORT the embedded one's port.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import psycopg
import typer
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import debian
import deploy
import doors
import embedded
import locks
import replay
import report
from cli import Failure, console, new_app, run, step

DATABASE = "rubi_trading"
DEFAULT_PORT = 54320
# What the demo's server has otherwise than postgresql.conf: it shares a machine with other work.
OVERRIDES = """
shared_buffers = 256MB
effective_cache_size = 1GB
maintenance_work_mem = 128MB
min_wal_size = 80MB
max_connections = 220
logging_collector = off
listen_addresses = '127.0.0.1'
jit = off
"""


class Demo:
    """The demo's folder and server; one for each clone of the repository."""

    def __init__(self) -> None:
        name = hashlib.sha256(str(deploy.ROOT).encode()).hexdigest()[:8]
        self.folder = debian.home() / f"demo-{name}"
        self.data = self.folder / "server/data"
        self.pgpass = self.folder / "pgpass"
        self.given = os.environ.get("RUBI_SERVER_URL", "")

    @property
    def port(self) -> int:
        """Port of the running server, else the one to start on."""
        pid_file = self.data / "postmaster.pid"
        if pid_file.exists():
            lines = pid_file.read_text().splitlines()
            if len(lines) > 3 and lines[3].isdigit():
                return int(lines[3])
        text = os.environ.get("RUBI_DEMO_PORT", str(DEFAULT_PORT))
        if not text.isdigit() or not 1024 <= int(text) <= 65535:
            raise Failure(f"RUBI_DEMO_PORT={text} is no port: give a number from 1024 to 65535")
        return int(text)

    def control(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run pg_ctl on the demo's data folder as the server's user."""
        program = embedded.binaries() / "pg_ctl"
        return subprocess.run(
            [program, "-D", self.data, *arguments],
            capture_output=True,
            text=True,
            **embedded.as_server_user(),
        )

    def running(self) -> bool:
        """Whether the embedded server runs."""
        return self.data.exists() and self.control("status").returncode == 0

    def start(self) -> str:
        """Start the server, made first where needed; answers what was done."""
        if self.running():
            return f"already running on port {self.port}"
        port = self.port
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise Failure(
                    f"port {port} is in use: choose another, RUBI_DEMO_PORT=54321 scripts/demo.sh"
                ) from error
        if not (self.data / "PG_VERSION").exists():
            self.create_cluster()
        settings = (deploy.ROOT / "postgresql.conf").read_text()
        (self.data / "postgresql.conf").write_text(
            f"{settings}\n# The demo's own\n{OVERRIDES.strip()}\nport = {port}\n"
            f"unix_socket_directories = '{self.data.parent}'\n"
        )
        done = self.control("-w", "-t", "60", "-l", str(self.data.parent / "log"), "start")
        if done.returncode:
            self.control("-m", "immediate", "stop")
            log = (self.data.parent / "log").read_text().splitlines()
            cause = next((x for x in reversed(log) if "FATAL" in x), (log or ["no log"])[-1])
            raise Failure(
                f"the server did not start: {cause} (remove it with scripts/demo.sh clean)"
            )
        return f"port {port}"

    def create_cluster(self) -> None:
        """initdb with a random superuser password, kept in a file that only we read."""
        shutil.rmtree(self.data.parent, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        server = embedded.owned_folder(self.data.parent)
        password = secrets.token_urlsafe(24)
        password_file = server / "password"
        password_file.touch(0o600)
        password_file.write_text(password)
        if user := embedded.server_user():
            os.chown(password_file, user.pw_uid, user.pw_gid)
        program = embedded.binaries() / "initdb"
        locale = (
            ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
            if embedded.major_of(program.parent) >= 17
            else ["--locale=C.UTF-8"]
        )
        done = subprocess.run(
            [program, "-D", self.data, "-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8",
             f"--pwfile={password_file}", *locale],
            capture_output=True, text=True, **embedded.as_server_user(),
        )  # fmt: skip
        password_file.unlink()
        if done.returncode:
            shutil.rmtree(server, ignore_errors=True)
            raise Failure(f"initdb failed: {done.stderr.strip().splitlines()[-1]}")
        self.save_passwords({"postgres": password})

    def passwords(self) -> dict[str, str]:
        """Role to password, from the pgpass file."""
        if not self.pgpass.exists():
            return {}
        return dict(line.split(":")[3:5] for line in self.pgpass.read_text().splitlines())

    def save_passwords(self, passwords: dict[str, str]) -> None:
        """Write the pgpass file."""
        self.pgpass.touch(0o600)
        self.pgpass.write_text(
            "".join(f"*:*:*:{role}:{password}\n" for role, password in passwords.items())
        )

    def url(self, role: str = "postgres", database: str = DATABASE, *, shown: bool = False) -> str:
        """Connection URL of a role; the password is left out when it is to be shown."""
        if self.given:
            return self.given
        password = "" if shown else f":{self.passwords()[role]}"
        return f"postgresql://{role}{password}@127.0.0.1:{self.port}/{database}"

    def dsn(self, role: str, database: str = DATABASE) -> str:
        """Connection string of a role, for a given server too."""
        if not self.given:
            return self.url(role, database)
        parts = conninfo_to_dict(self.given, dbname=database)
        if role != "postgres":
            parts |= {"user": role, "password": self.passwords()[role]}
        return psycopg.conninfo.make_conninfo(**parts)

    def set_password(self, connection: psycopg.Connection, role: str) -> None:
        """Give a role a random password; the server sees its SCRAM hash only."""
        passwords = self.passwords()
        password = passwords.get(role) or secrets.token_urlsafe(24)
        hashed = connection.pgconn.encrypt_password(
            password.encode(), role.encode(), b"scram-sha-256"
        )
        connection.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), hashed.decode())
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        self.save_passwords(passwords | {role: password})

    def prepare(self) -> str:
        """What a managed service does: administrator, database, extensions; answers versions."""
        maintenance = conninfo_to_dict(self.given).get("dbname") if self.given else "postgres"
        with psycopg.connect(
            self.dsn("postgres", maintenance or "postgres"), autocommit=True
        ) as con:
            if con.info.server_version < 150000:
                raise Failure(f"PostgreSQL {con.info.server_version // 10000}: 15 or newer needed")
            found = con.execute(
                "SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb'"
            ).fetchone()
            if not found:
                raise Failure(
                    "that server has no TimescaleDB: install it, or unset RUBI_SERVER_URL"
                )
            if not con.execute("SELECT FROM pg_roles WHERE rolname = 'rubi_admin'").rowcount:
                con.execute("CREATE ROLE rubi_admin LOGIN CREATEDB CREATEROLE")
            con.execute("GRANT pg_monitor TO rubi_admin WITH ADMIN OPTION")
            self.set_password(con, "rubi_admin")
            if not con.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
                con.execute(
                    sql.SQL("CREATE DATABASE {} OWNER rubi_admin").format(sql.Identifier(DATABASE))
                )
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as con:
            con.execute("SET client_min_messages = error")
            for name in ("timescaledb", "pg_stat_statements"):
                con.execute(f"CREATE EXTENSION IF NOT EXISTS {name}")
            doors.close(con)
            return f"PostgreSQL {con.info.server_version // 10000}, TimescaleDB {found[0]}"

    def deploy(self) -> str:
        """Apply what is due as rubi_admin, no superuser; rubi_app gets a password."""
        files = deploy.read_files()
        with deploy.connect(self.dsn("rubi_admin")) as connection:
            with locks.only_runner(connection, wait=60):
                todo = deploy.due(files, deploy.applied(connection))
                for file, _ in todo:
                    deploy.apply_file(connection, file)
            self.set_password(connection, "rubi_app")
        with psycopg.connect(self.dsn("postgres")) as connection:
            doors.close(connection)
        return f"{len(todo)} of {len(files)} files applied"


@contextmanager
def stopped_on_failure(demo: Demo) -> Iterator[None]:
    """A server that this run started does not outlive its failure."""
    was_running = demo.given or demo.running()
    try:
        yield
    except BaseException:
        if not was_running and demo.running():
            demo.control("-m", "fast", "stop")
        raise


def show(connection: psycopg.Connection, title: str, query: str) -> None:
    """Print a query's rows as a table under a title."""
    cursor = connection.execute(query)
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for index, column in enumerate(cursor.description or ()):
        numeric = column.type_code in (20, 21, 23, 1700)
        table.add_column(column.name, justify="right" if numeric and index else "left")
    for row in cursor:
        table.add_row(*("" if value is None else str(value) for value in row))
    console.print()
    console.print(table)


SHOWN = (
    (
        "Rows",
        """
        SELECT c.relname AS table, (xpath('/row/n/text()', query_to_xml(
            format('SELECT count(*) AS n FROM public.%I', c.relname), false, true, '')
        ))[1]::text::bigint AS rows
        FROM pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
        ORDER BY c.relname
        """,
    ),
    (
        "Hypertables",
        "SELECT hypertable_name AS table, num_chunks AS chunks"
        " FROM timescaledb_information.hypertables ORDER BY 1",
    ),
    (
        "user_trading_stats",
        "SELECT username AS user, total_strategies AS strategies, total_signals AS signals,"
        " executed_signals AS executed, total_orders AS orders, open_orders AS open,"
        " round(total_profit, 2) AS profit, round(average_profit, 2) AS average"
        " FROM user_trading_stats ORDER BY username",
    ),
    (
        "Open positions",
        "SELECT ticket, symbol, type, trim_scale(volume) AS volume,"
        " trim_scale(open_price) AS open_price, trim_scale(current_price) AS current,"
        " round(profit, 2) AS profit FROM open_positions_with_session ORDER BY symbol",
    ),
    (
        "Results of the last twelve months with trades",
        """
        SELECT * FROM (
            SELECT to_char(closed_at, 'YYYY-MM') AS month, count(*) AS trades,
                count(*) FILTER (WHERE profit + commission + swap > 0) AS won,
                round(sum(profit), 2) AS profit, round(sum(commission), 2) AS commission,
                round(sum(profit + commission + swap), 2) AS net
            FROM trading_orders WHERE closed_at IS NOT NULL
            GROUP BY 1 ORDER BY 1 DESC LIMIT 12
        ) AS months ORDER BY month
        """,
    ),
    ("Proofs", "SELECT name, violations FROM monitoring.proofs ORDER BY name"),
)

app = new_app(__doc__)
app.info.no_args_is_help = False


@app.callback(invoke_without_command=True)
def up(context: typer.Context) -> None:
    """Make everything ready and show it."""
    if context.invoked_subcommand:
        return
    began = monotonic()
    demo = Demo()
    with stopped_on_failure(demo):
        if not demo.given:
            with step("TimescaleDB server on this machine"):
                embedded.binaries()
            with step("server started") as notes:
                notes.append(demo.start())
        with step(f"database {DATABASE} and its administrator") as notes:
            notes.append(demo.prepare())
        with step("schema deployed as rubi_admin") as notes:
            notes.append(demo.deploy())
        with psycopg.connect(demo.dsn("rubi_app"), autocommit=True) as connection:
            with step("real bars loaded as rubi_app") as notes:
                series = [replay.read_bars(market) for market in replay.MARKETS]
                for bars in series:
                    new = replay.load_bars(connection, bars)
                    replay.load_calendar(connection, bars)
                    notes.append(f"{bars[0].market.symbol} {len(bars)} ({new} new)")
            total = sum(map(len, series))
            with step("strategy replayed as rubi_app") as notes:
                notes.append(f"{total} bars")
                watch(replay.replay(connection, series), total)
        with step("report of the replayed strategy"):
            page = demo.folder / "report.html"
            page.write_text(report.make_page(demo.dsn("rubi_app"), replay.EMAIL), encoding="utf-8")
        with psycopg.connect(demo.dsn("postgres")) as connection:
            connection.execute("SET timezone = 'UTC'")
            for title, query in SHOWN:
                show(connection, title, query)
    console.print(f"\nDone in {monotonic() - began:.1f} s. Connect with:")
    console.print(f"  {page}  the report: open it in a browser", soft_wrap=True)
    console.print("  scripts/demo.sh psql          as superuser")
    console.print("  scripts/demo.sh url           prints a superuser's URL")
    if not demo.given:
        console.print(
            f"  PGPASSFILE={demo.pgpass} psql {demo.url('rubi_app', shown=True)}", soft_wrap=True
        )
    console.print("  scripts/demo.sh stop | clean  stops the server | removes it with its data")


def watch(bars_done: Iterator[int], total: int) -> None:
    """Show progress on a terminal while the replay runs."""
    columns = (
        TextColumn("replaying"),
        BarColumn(),
        TextColumn("{task.completed}"),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("", total=total)
        for done in bars_done:
            progress.update(task, completed=done)


def running_demo() -> Demo:
    """The demo, which has to be running."""
    demo = Demo()
    if not demo.given and not demo.running():
        raise Failure("the demo is not running: start it with scripts/demo.sh")
    return demo


@app.command()
def psql() -> None:
    """Open psql as superuser; further arguments can be given after --."""
    demo = running_demo()
    environment = os.environ | {"PGPASSFILE": str(demo.pgpass)}
    program = embedded.binaries() / "psql"
    os.execve(program, ["psql", demo.given or demo.url(shown=True)], environment)


@app.command()
def url() -> None:
    """Print a superuser's URL, password included, and nothing else."""
    print(running_demo().url())


@app.command()
def stop() -> None:
    """Stop the demo's server; its data stay."""
    demo = Demo()
    if not demo.running():
        console.print("not running")
        return
    done = demo.control("-m", "fast", "-w", "stop")
    if done.returncode:
        raise Failure(f"the server did not stop: {done.stderr.strip().splitlines()[0]}")
    console.print("stopped")


@app.command()
def clean() -> None:
    """Stop the demo's server and remove its data; the unpacked programs stay."""
    demo = Demo()
    if demo.running():
        stop()
    shutil.rmtree(demo.folder, ignore_errors=True)
    console.print(f"removed {demo.folder}")


if __name__ == "__main__":
    run(app)
