"""Writes the pages of docs/ that come from the catalog of a deployed database."""

from pathlib import Path
from typing import Annotated

import psycopg
import typer

from rubi import ROOT
from rubi.cli import console, new_app, run
from rubi.connecting import Dsn
from rubi.pages.rights import all_pages

app = new_app(__doc__)


@app.command()
def write(
    dsn: Dsn = "",
    root: Annotated[Path, typer.Option(help="repository to write to", hidden=True)] = ROOT,
) -> None:
    """Write every generated page from the database that --dsn or PG* variables name."""
    with psycopg.connect(dsn) as connection:
        pages = all_pages(connection)
    for path, text in pages.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    gone = [p for p in (root / "docs/schema").glob("*.md") if f"docs/schema/{p.name}" not in pages]
    for path in gone:
        path.unlink()
    console.print(f"wrote {len(pages)} pages, removed {len(gone)}")


if __name__ == "__main__":
    run(app)
