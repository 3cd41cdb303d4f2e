"""Places of files outside the database: a folder, or a bucket of any S3 service.

A target is a folder or s3://bucket/path. S3 means Scaleway's in Paris unless the URI
(?endpoint=http://HOST:PORT&region=…) or AWS_ENDPOINT_URL and AWS_REGION say otherwise; credentials
come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or ~/.aws, never from the URI.

Not Arrow's file systems, which archive_bars.py uses: their S3 client leaves markers of folders
behind when a file is deleted, and completes an interrupted upload.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from rubi.cli import Failure

if TYPE_CHECKING:
    from rubi.backups.s3 import Bucket


class Folder:
    """A folder of the machine."""

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
        """Store a file."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)

    def delete(self, path: str) -> None:
        """Remove a file, and its folder when that is empty."""
        target = self.root / path
        target.unlink()
        if not any(target.parent.iterdir()):
            target.parent.rmdir()


def open_target(target: str | Path) -> Folder | Bucket:
    """The store that a target names."""
    text = str(target)
    if text.startswith("s3://"):
        from rubi.backups.s3 import Bucket  # boto3 takes half a second to load

        return Bucket(text)
    if "://" in text:
        raise Failure(f"{text.partition('://')[0]}:// is not known: give a folder or s3://")
    return Folder(Path(text).absolute())
