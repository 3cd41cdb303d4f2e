"""SeaweedFS as an object store of this machine, and a door before it that can be made to fail."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow.fs as pafs

from rubi.servers import embedded

KEY, SECRET = "tester", "not-a-secret"


@dataclass
class Store:
    """An object store with one bucket."""

    port: int
    environment: dict[str, str] = field(
        default_factory=lambda: {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    )

    def uri(self, folder: str, port: int | None = None) -> str:
        """A folder of the bucket, as Arrow names it."""
        return (
            f"s3://lake/{folder}?region=x&scheme=http"
            f"&endpoint_override=127.0.0.1:{port or self.port}"
        )

    def files(self) -> pafs.S3FileSystem:
        """A way in, that may also make the bucket."""
        return pafs.S3FileSystem(
            access_key=KEY, secret_key=SECRET, region="x", scheme="http",
            endpoint_override=f"127.0.0.1:{self.port}", allow_bucket_creation=True,
        )  # fmt: skip


@contextmanager
def running(folder: Path) -> Iterator[Store]:
    """Start SeaweedFS with its data in the folder; stop it afterwards."""
    (folder / "s3.json").write_text(
        json.dumps({"identities": [{
            "name": "tester", "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List"],
        }]})
    )  # fmt: skip
    ports = {}
    for name in ("master", "volume", "filer", "s3"):
        ports[f"{name}.port"] = embedded.free_port()
        ports[f"{name}.port.grpc"] = embedded.free_port()
    store = Store(ports["s3.port"])
    with (folder / "weed.log").open("w") as log:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("weed"), f"-logdir={folder}",
             "server", f"-dir={folder}", "-ip=127.0.0.1",
             "-filer", "-s3", f"-s3.config={folder}/s3.json", "-volume.max=8",
             "-master.volumeSizeLimitMB=64", "-volume.preStopSeconds=0", "-debug.port=0",
             # two servers would meet on the usual ports of these
             "-s3.port.iceberg=0", "-s3.port.lance=0",
             *(f"-{name}={port}" for name, port in ports.items())],
            stdout=log, stderr=log, cwd=folder,
        )  # fmt: skip
    try:
        until = time.monotonic() + 60
        while True:
            try:
                store.files().create_dir("lake")
                with store.files().open_output_stream("lake/ready") as stream:
                    stream.write(b"x")
                break
            except OSError:
                assert process.poll() is None, (folder / "weed.log").read_text()[-500:]
                assert time.monotonic() < until, (folder / "weed.log").read_text()[-500:]
                time.sleep(0.1)
        yield store
    finally:
        process.kill()  # its data are thrown away; a gentle end takes ten seconds
        process.wait()
        for port in ports.values():
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                left.unlink()


class Door(ThreadingHTTPServer):
    """Hands readers on to the store, until it is told to answer with errors."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), Visitor)
        self.behind = port
        self.good_answers = 1 << 30
        self.refused = 0
        self.lock = threading.Lock()

    def let_in(self) -> bool:
        """Whether this request gets an answer."""
        with self.lock:
            self.good_answers -= 1
            if self.good_answers < 0:
                self.refused += 1
            return self.good_answers >= 0


class Visitor(BaseHTTPRequestHandler):
    """A connection to the door."""

    protocol_version = "HTTP/1.1"
    server: Door

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def pass_on(self) -> None:
        """The store's answer, or 503."""
        if not self.server.let_in():
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        behind = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=30)
        behind.request(self.command, self.path, headers=dict(self.headers))
        answer = behind.getresponse()
        data = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(data)
        behind.close()

    do_GET = do_HEAD = pass_on


@contextmanager
def door(port: int) -> Iterator[Door]:
    """A door before a store's port."""
    server = Door(port)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
