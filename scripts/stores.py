"""Places for files outside the database: folders and object stores, through Arrow's file systems.

A target is a folder or a URI such as s3://bucket/path. S3 means Scaleway's in Paris unless the
URI (?endpoint_override=HOST:PORT&region=…&scheme=http) or AWS_ENDPOINT_URL and AWS_REGION say
otherwise; credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or ~/.aws, never from
the URI.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlsplit

# Arrow's S3 client else adds trailing checksums, which only Amazon's own servers understand.
os.environ.setdefault("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
os.environ.setdefault("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required")
# and asks Amazon's virtual machines for credentials that nobody gave
os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")

import pyarrow as pa
import pyarrow.fs as pafs

from cli import Failure, one_line

REGION = "fr-par"
ENDPOINT = "https://s3.{}.scw.cloud"
MEANINGS = {
    "NO_SUCH_BUCKET": "there is no such bucket",
    "INVALID_ACCESS_KEY_ID": "wrong credentials (AWS_ACCESS_KEY_ID)",
    "SIGNATURE_DOES_NOT_MATCH": "wrong credentials (AWS_SECRET_ACCESS_KEY)",
    "ACCESS_DENIED": "access denied: no or wrong credentials, or no right on this bucket",
    "NETWORK_CONNECTION": "the connection failed or broke off",
    "REQUEST_TIMEOUT": "no answer in time",
}


def shown(target: str) -> str:
    """A target without its options and without what may be a credential."""
    return re.sub(r"//[^/@]*@", "//", target.partition("?")[0])


def open_target(target: str) -> tuple[pafs.FileSystem, str]:
    """The file system of a target and the path in it. Raises Failure when it can't be used."""
    with failures(target):
        if "://" not in target:
            return pafs.LocalFileSystem(), target
        if not target.startswith("s3://"):
            files, path = pafs.FileSystem.from_uri(target)
            return files, path
        parts = urlsplit(target)
        if parts.username:
            raise Failure("credentials belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        options = dict(parse_qsl(parts.query))
        region = options.pop("region", None) or os.environ.get("AWS_REGION") or REGION
        endpoint = (
            options.pop("endpoint_override", None)
            or os.environ.get("AWS_ENDPOINT_URL_S3")
            or os.environ.get("AWS_ENDPOINT_URL")
            or ENDPOINT.format(region)
        )
        scheme, _, host = endpoint.rpartition("://")
        scheme = options.pop("scheme", None) or scheme or "https"
        if options or not parts.netloc:
            raise Failure(f"{shown(target)}: not understood; s3://bucket/path?region=… is expected")
        files = pafs.S3FileSystem(
            region=region, endpoint_override=host, scheme=scheme, connect_timeout=10,
            request_timeout=60, retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=4),
        )  # fmt: skip
        return files, (parts.netloc + parts.path).rstrip("/")


@contextmanager
def failures(target: str) -> Iterator[None]:
    """Say what an object store's error means in one line."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        found = re.search(r"AWS Error (\w+)", str(error))
        meaning = MEANINGS.get(found[1]) if found else None
        raise Failure(f"{shown(target)}: {meaning or one_line(error)}") from error
