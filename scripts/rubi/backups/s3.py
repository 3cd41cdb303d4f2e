"""A bucket of any S3 service, as places.py opens it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qsl, urlsplit

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from rubi.cli import Failure, one_line

REGION = "fr-par"
ENDPOINT = "https://s3.{}.scw.cloud"
MEANINGS = {
    "NoSuchBucket": "there is no such bucket",
    "InvalidAccessKeyId": "wrong credentials (AWS_ACCESS_KEY_ID)",
    "SignatureDoesNotMatch": "wrong credentials (AWS_SECRET_ACCESS_KEY)",
    "AccessDenied": "access denied: no or wrong credentials, or no right on this bucket",
    "NoCredentialsError": "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "ConnectionClosedError": "the connection broke off",
    "EndpointConnectionError": "could not connect",
    "ResponseStreamingError": "the connection broke off",
}


class Bucket:
    """A path in a bucket."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        options = dict(parse_qsl(parts.query))
        if parts.username:
            raise Failure("credentials belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        if not parts.netloc or options.keys() - {"endpoint", "region"}:
            raise Failure(f"{target}: s3://bucket/path?endpoint=…&region=… is expected")
        self.bucket, self.root = parts.netloc, parts.path.strip("/")
        region = options.get("region") or os.environ.get("AWS_REGION") or REGION
        endpoint = (
            options.get("endpoint")
            or os.environ.get("AWS_ENDPOINT_URL_S3")
            or os.environ.get("AWS_ENDPOINT_URL")
            or ENDPOINT.format(region)
        )
        # asking Amazon's virtual machines for credentials would take seconds elsewhere
        os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
        with self.failures():
            # a session of its own: the default one keeps credentials for the process's life
            self.client = boto3.Session().client(
                "s3", region_name=region, endpoint_url=endpoint,
                config=Config(
                    retries={"total_max_attempts": 4, "mode": "standard"}, connect_timeout=10,
                    read_timeout=60,
                    # signed with the content's SHA-256, which the service must check
                    s3={"addressing_style": "path", "payload_signing_enabled": True},
                    # checksums of later versions of the protocol: not every service knows them
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                ),
            )  # fmt: skip

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.root}".rstrip("/")

    def key(self, path: str) -> str:
        """The whole name of an object."""
        return f"{self.root}/{path}".strip("/")

    def paths(self, below: str = "") -> list[str]:
        """All objects, as paths from the root."""
        prefix = f"{self.key(below)}/".lstrip("/")
        with self.failures():
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix
            )
            keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
        return [key[len(self.root) :].lstrip("/") for key in keys]

    @contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        """An object to be read; FileNotFoundError when it is not there."""
        with self.failures():
            try:
                found = self.client.get_object(Bucket=self.bucket, Key=self.key(path))
            except ClientError as error:
                if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                    raise FileNotFoundError(path) from error
                raise
            with found["Body"] as stream:
                yield stream

    def put(self, path: str, source: Path) -> None:
        """Store a file, whole or not at all; each part goes with its SHA-256."""
        with self.failures():
            self.client.upload_file(str(source), self.bucket, self.key(path))

    def delete(self, path: str) -> None:
        with self.failures():
            self.client.delete_object(Bucket=self.bucket, Key=self.key(path))

    @contextmanager
    def failures(self) -> Iterator[None]:
        """The meaning of the service's error in one line."""
        try:
            yield
        except (ClientError, BotoCoreError, Boto3Error) as error:
            cause = error.__context__ if isinstance(error, Boto3Error) else error
            code = type(cause).__name__
            if isinstance(cause, ClientError):
                code = cause.response["Error"]["Code"]
            raise Failure(f"{self}: {MEANINGS.get(code) or one_line(error)}") from error
