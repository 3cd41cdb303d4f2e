"""A running trading database on real market data: server, schema, bars, and a strategy that
traded them at a stand-in terminal.

Without a command: everything is made ready and shown. RUBI_SERVER_URL names a server to use instead
of the embedded one, RUBI_DEMO_PORT the embedded one's port.
"""

from rubi import early  # noqa: F401  # isort: skip

import os
import shutil
from time import monotonic
from typing import Annotated

import typer

from rubi.cli import console, new_app, run
from rubi.demo.server import Demo, check_port, running_demo, wanted_port
from rubi.servers import embedded, pgtools

app = new_app(__doc__)
app.info.no_args_is_help = False


@app.callback(invoke_without_command=True)
def up(context: typer.Context) -> None:
    """Make everything ready and show it."""
    if context.invoked_subcommand:
        return
    began = monotonic()
    demo = Demo()
    if not demo.given and not demo.pid():
        check_port(wanted_port())  # asked before a minute of fetching
    from rubi.demo import making

    with demo.only_one(), making.ended_on_failure(demo):
        making.make_ready(demo)
        making.show_all(demo)
    making.say_how_to_connect(demo, monotonic() - began)


Role = Annotated[
    str, typer.Option(help="who connects: postgres, rubi_admin, rubi_app, rubi_readonly …")
]


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def psql(
    arguments: Annotated[list[str] | None, typer.Argument(help="what psql is given")] = None,
    role: Role = "postgres",
) -> None:
    """Open psql, the machine's or the embedded server's, for instance: psql -c 'SELECT 1'."""
    demo = running_demo()
    found = shutil.which("psql") if demo.given else None
    program = found or embedded.binaries() / "psql"
    if not os.access(program, os.X_OK):  # RUBI_PG_BIN may hold a server alone
        program = embedded.unpacked(embedded.DEFAULT_MAJOR) / "psql"
    # in the environment a password is seen by nobody else
    environment = pgtools.environment(demo.dsn(role)) | {"PGAPPNAME": "psql"}
    # by its path: psql looks for itself, and would look in PATH
    os.execve(program, [str(program), *(arguments or [])], environment)


@app.command()
def url(role: Role = "postgres") -> None:
    """Print a URL, password included, and nothing else."""
    demo = running_demo()
    print(demo.given if demo.given and role == "postgres" else demo.dsn(role))


@app.command()
def stop() -> None:
    """Stop the demo's server; its data stay."""
    demo = Demo()
    demo.refuse_given("stop")
    with demo.only_one():
        was_running = demo.pid()
        demo.end_server()
    console.print("stopped" if was_running else "not running")


@app.command()
def clean() -> None:
    """Stop the demo's server and remove its data; the unpacked programs stay."""
    demo = Demo()
    demo.refuse_given("clean")
    with demo.only_one():
        demo.remove()
    console.print(f"removed {demo.folder}")


if __name__ == "__main__":
    run(app)
