"""A stand-in for S3 on loopback: moto's server."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import Request, urlopen

import boto3
import pytest
from moto.server import ThreadedMotoServer

BUCKET = "team-recordings"


@contextmanager
def serve_s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadedMotoServer]:
    """S3 with one bucket, which boto3 finds by the variables that a user sets."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://{host}:{port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        # the servers of a process share their buckets
        with urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")):
            pass
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield server
    finally:
        server.stop()
