"""Backups as they lie in a folder or in an object store: names, manifests, retention.

A backup is a folder DATABASE_YYYYMMDD_HHMMSS (UTC, the server's clock) that holds a manifest.json.
The manifest is written last: a folder without one is no backup.

A target is a folder or s3://bucket/path. S3 means Scaleway's in Paris unless the URI
(?endpoint=http://HOST:PORT&region=…) or AWS_ENDPOINT_URL and AWS_REGION say otherwise; credentials
come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or ~/.aws, never from the URI.

Not Arrow's file systems, which archive_bars.py uses: their S3 client leaves markers of folders
behind when a file is deleted, and completes an interrupted upload.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from rubi.cli import Failure

MANIFEST = "manifest.json"
BLOCK = 8 << 20
FORMAT = 1  # of the manifest
NAME = re.compile(r"(.+)_(\d{8}_\d{6})")
DEFAULT_FOLDER = Path(os.environ.get("RUBI_BACKUP_DIR", "/var/backups/rubi-trading"))


def name_of(database: str, at: datetime) -> str:
    return f"{database}_{at.astimezone(UTC):%Y%m%d_%H%M%S}"


def time_of(name: str) -> datetime:
    """When a backup was taken, by its name."""
    return datetime.strptime(NAME.fullmatch(name)[2], "%Y%m%d_%H%M%S").replace(tzinfo=UTC)


def copy(source: BinaryIO, *targets: BinaryIO) -> tuple[int, str]:
    """Copy a stream; bytes and SHA-256 of what went through."""
    digest, size = hashlib.sha256(), 0
    while block := source.read(BLOCK):
        digest.update(block)
        size += len(block)
        for target in targets:
            target.write(block)
    return size, digest.hexdigest()


def hashed(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file, as a manifest has them."""
    with path.open("rb") as stream:
        size, sha256 = copy(stream)
    return {"bytes": size, "sha256": sha256}


class Folder:
    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def paths(self, below: str = "") -> list[str]:
        """All files, as paths from the root."""
        if not self.root.is_dir():
            raise Failure(f"{self}: there is no such folder")
        found = (self.root / below).rglob("*")
        return [str(path.relative_to(self.root)) for path in found if path.is_file()]

    def open(self, path: str) -> BinaryIO:
        """A file to be read; FileNotFoundError when it is not there."""
        return (self.root / path).open("rb")

    def put(self, path: str, source: Path) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)

    def delete(self, path: str) -> None:
        """Remove a file, and its folder when that is empty."""
        target = self.root / path
        target.unlink()
        if not any(target.parent.iterdir()):
            target.parent.rmdir()


def open_target(target: str | Path) -> Any:
    """The store that a target names."""
    text = str(target)
    if text.startswith("s3://"):
        from rubi.backups.s3 import Bucket  # boto3 takes half a second to load

        return Bucket(text)
    if "://" in text:
        raise Failure(f"{text.partition('://')[0]}:// is not known: give a folder or s3://")
    return Folder(Path(text).absolute())


class Place:
    """A place where backups lie. Errors are Failures that name the place."""

    def __init__(self, target: str | Path) -> None:
        self.store = open_target(target)

    def __str__(self) -> str:
        return str(self.store)

    @property
    def itself(self) -> str:
        """Name of the backup that the place is itself, if it is one."""
        last = str(self).rsplit("/", 1)[-1]
        return last if NAME.fullmatch(last) else ""

    def names(self, database: str = "", *, complete: bool = True) -> list[str]:
        """Names of the backups, oldest first; not complete: of folders without a manifest."""
        whole, found = set(), set()
        for path in self.store.paths():
            name, _, rest = path.partition("/")
            match = NAME.fullmatch(name)
            if match and rest and (not database or match[1] == database):
                found.add(name)
                if rest == MANIFEST:
                    whole.add(name)
        return sorted(whole if complete else found - whole, key=time_of)

    def manifest(self, name: str = "") -> dict[str, Any]:
        """A backup's manifest. Raises Failure when it is missing or not one."""
        path = f"{name}/{MANIFEST}".lstrip("/")
        try:
            with self.store.open(path) as stream:
                found = json.loads(stream.read())
        except FileNotFoundError as error:
            raise Failure(f"{self}: no {path}, so this is no complete backup") from error
        except ValueError as error:
            raise Failure(f"{self}: {path} is damaged ({error})") from error
        files = found.get("files", {}) if isinstance(found, dict) else {}
        kinds = [sum(kind in file for file in files) for kind in (".dump", ".roles.sql")]
        if not files or found.get("format") != FORMAT or kinds != [1, 1] or "/" in "".join(files):
            raise Failure(f"{self}: {path} is not of this version's format")
        return found

    def write(self, name: str, path: Path, expected: dict[str, Any]) -> None:
        """Store a file and read it back: only the same bytes count as stored."""
        self.store.put(f"{name}/{path.name}", path)
        with self.store.open(f"{name}/{path.name}") as stream:
            size, sha256 = copy(stream)
        if {"bytes": size, "sha256": sha256} != expected:
            raise Failure(f"{self}: {path.name} came back with other bytes than were sent")

    def fetch(self, name: str, file: str, to: Path, expected: dict[str, Any]) -> None:
        """Bring a file here, as a link where it lies on this machine.

        Raises Failure when its bytes are not those of the manifest.
        """
        path = f"{name}/{file}".lstrip("/")
        try:
            with self.store.open(path) as stream, ExitStack() as opened:
                if isinstance(self.store, Folder):
                    to.symlink_to(self.store.root / path)
                    size, sha256 = copy(stream)
                else:
                    size, sha256 = copy(stream, opened.enter_context(to.open("wb")))
        except FileNotFoundError as error:
            raise Failure(f"{self}: {file} is missing") from error
        if {"bytes": size, "sha256": sha256} != expected:
            raise Failure(f"{self}: {file} is damaged, its SHA-256 is not the manifest's")

    def remove(self, name: str) -> None:
        """Remove a backup, the manifest first: a remainder is no backup."""
        paths = self.store.paths(name)
        for path in sorted(paths, key=lambda path: not path.endswith(f"/{MANIFEST}")):
            self.store.delete(path)


def refuse_later(place: Place, database: str, now: datetime) -> None:
    """Raise Failure when a backup is later than now: with a wrong clock the newest is unknown."""
    later = [name for name in place.names(database) if time_of(name) > now]
    if later:
        raise Failure(
            f"the server's clock says {now:%Y-%m-%d %H:%M:%S} UTC, but {place} has {later[-1]}: "
            "set the clock, or move that backup away"
        )


def expired(names: list[str], days: int, weeks: int, months: int) -> list[str]:
    """Backups to remove: all but the newest of each of the last days, weeks and months with one.

    Periods without a backup do not count, so that a pause or a wrong clock expires nothing.
    """
    kept = set(names[-1:])
    periods: list[tuple[int, Callable[[datetime], object]]] = [
        (days, datetime.date),
        (weeks, lambda at: at.isocalendar()[:2]),
        (months, lambda at: (at.year, at.month)),
    ]
    for count, period in periods:
        newest = {period(time_of(name)): name for name in names}
        kept.update(list(newest.values())[-count:] if count else [])
    return [name for name in names if name not in kept]


def older(names: list[str], now: datetime, days: float) -> list[str]:
    """Backups older than so many days; never the newest."""
    return [name for name in names[:-1] if now - time_of(name) > timedelta(days=days)]
