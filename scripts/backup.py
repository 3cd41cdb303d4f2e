"""Takes a backup that can be proved: a dump of one snapshot, and a manifest of what it holds.

Connects as PG* variables or --dsn say, best as rubi_backup. The backup appears in its folder when
it is complete and verified, then it is uploaded and read back; only after that older ones are
removed. Docs: docs/guides/backups.md.
"""

import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from rubi.backups import places, runs
from rubi.backups.places import Place
from rubi.backups.taking import dump_of, remove, take, upload
from rubi.cli import console, new_app, run, step
from rubi.connecting import Dsn

app = new_app(__doc__)
app.info.no_args_is_help = False
Folder = Annotated[Path, typer.Option("--dir", help="folder of the local copies")]
Bucket = Annotated[
    str, typer.Option(help="s3://bucket/path to upload to; see docs/guides/backups.md")
]
Recipients = Annotated[
    list[str] | None,
    typer.Option(help="encrypt to this age or SSH public key (age1…, ssh-ed25519 …); repeatable"),
]
Count = Annotated[int, typer.Option(min=0)]


@app.command()
def backup(
    folder: Folder = places.DEFAULT_FOLDER,
    s3: Bucket = "",
    encrypt_to: Recipients = None,
    compress: Annotated[str, typer.Option(help="-Z of pg_dump; zstd needs 16")] = "",
    keep_local_days: Annotated[
        float | None, typer.Option(min=0, help="3 with --s3, else nothing is removed")
    ] = None,
    keep_days: Count = 7,
    keep_weeks: Count = 5,
    keep_months: Count = 12,
    dsn: Dsn = "",
) -> None:
    """Dump, verify, upload, read back, then remove what is too old."""
    recipients = [recipient(text) for text in encrypt_to or []]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (
        runs.only_one(folder, "backup"),
        runs.recorded("backup", folder / "backup.status.json", dsn) as done,
    ):
        for dead in folder.glob(".*.partial"):  # of a run that was killed; nobody else is here
            shutil.rmtree(dead) if dead.is_dir() else dead.unlink()
        name, now = take(folder, s3, dsn, compress, recipients)
        database = places.NAME.fullmatch(name)[1]
        manifest = Place(folder).manifest(name)
        done.location = str(folder / name)
        done.bytes = sum(file["bytes"] for file in manifest["files"].values())
        done.sha256 = dump_of(manifest)["sha256"]
        done.message = f"{len(manifest['tables'])} tables"
        if s3:
            place = Place(s3)
            with step(f"uploaded to {place}/{name} and read back"):
                upload(place, folder / name, manifest)
            done.location = f"{place}/{name}"
            names = place.names(database)
            gone = places.expired(names, keep_days, keep_weeks, keep_months)
            remove(place, [*gone, *place.names(database, complete=False)])
        if s3 or keep_local_days is not None:
            days = 3 if keep_local_days is None else keep_local_days
            here = Place(folder)
            remove(here, places.older(here.names(database), now, days))
    console.print(f"backup {done.location} is complete: {done.bytes:,} bytes")


def recipient(text: str) -> Any:
    """A public key to encrypt to."""
    import pyrage

    try:
        if text.startswith("ssh-"):
            return pyrage.ssh.Recipient.from_str(text)
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError as error:
        raise typer.BadParameter(f"--encrypt-to: no public key of age or SSH ({error})") from error


if __name__ == "__main__":
    run(app)
