"""Settings for a machine's size, by the rules that make postgresql.conf of 4 cores and 8 GB."""

import json
from typing import Annotated

import psycopg
import typer

from rubi.cli import console, new_app, run
from rubi.connecting import Dsn
from rubi.servers.settings import comparable, derive, megabytes

DIFFERENT = 3
Memory = Annotated[str, typer.Option(help="Memory of the machine, such as 16GB")]
Cores = Annotated[int, typer.Option(min=1, max=512, help="Processor cores")]
Connections = Annotated[int, typer.Option(min=20, max=5000, help="max_connections")]

app = new_app(__doc__)


@app.command("derive")
def print_settings(memory: Memory, cores: Cores, connections: Connections = 200) -> None:
    """Print lines for postgresql.conf; the others of that file stay as they are."""
    for name, value in derive(megabytes(memory), cores, connections).items():
        print(f"{name} = {value}")


@app.command()
def check(
    memory: Memory,
    cores: Cores,
    connections: Connections = 200,
    dsn: Dsn = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """Compare a running server with what is derived. 3 when something differs."""
    wanted = derive(megabytes(memory), cores, connections)
    with psycopg.connect(dsn, connect_timeout=10) as connection:
        found = {
            name: (setting, unit)
            for name, setting, unit in connection.execute(
                "SELECT name, setting, unit FROM pg_settings WHERE name = ANY (%s)", [list(wanted)]
            )
        }
        has = {name: connection.execute("SELECT current_setting(%s, TRUE)", [name]).fetchone()[0]
               for name in wanted}  # fmt: skip
    report = []
    for name, value in wanted.items():
        setting, unit = found.get(name, ("not known", None))
        same = comparable(setting, unit) == comparable(value)
        report.append({"name": name, "has": has[name], "derived": value, "same": same})
        if not as_json:
            console.print(
                f"{name} has {has[name]}, derived {value}", style="green" if same else "yellow"
            )
    if as_json:
        print(json.dumps(report))
    raise typer.Exit(0 if all(one["same"] for one in report) else DIFFERENT)


if __name__ == "__main__":
    run(app)
