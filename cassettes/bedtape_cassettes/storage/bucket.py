"""Cassettes in a bucket of S3.

Each version is a `.tape` file, and the object `latest` names the newest.

A version is named by the SHA-256 digest of its file, so it never changes, and a reader sees the old
version or the new one. Source of the API: botocore's model of S3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from bedtape_cassettes.errors import CassetteError, CassetteMissing
from bedtape_cassettes.storage.store import TAPE, replace_file

_ADDRESS = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,62})/([^@]*[^@/])/?(?:@([0-9a-f]{64}))?")
_LATEST = "latest"
_CONFIG = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard"})


@dataclass(frozen=True, slots=True)
class BucketAddress:
    """Where cassettes are in S3. digest: of one version; `None` for the newest."""

    bucket: str
    prefix: str
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> BucketAddress:
        """Read `s3://BUCKET/PREFIX`, with `@DIGEST` for one version. Raises CassetteError."""
        if (match := _ADDRESS.fullmatch(text)) is None:
            raise CassetteError(
                f"expected s3://BUCKET/PREFIX, or s3://BUCKET/PREFIX@DIGEST with the 64 digits of a"
                f" version, found {text!r}"
            )
        return cls(*match.groups())

    def __str__(self) -> str:
        version = f"@{self.digest}" if self.digest else ""
        return f"s3://{self.bucket}/{self.prefix}{version}"


class Bucket:
    """Cassettes in a bucket. Every method raises CassetteError if S3 does not do what it must.

    Credentials, region and endpoint are those of boto3.
    """

    def __init__(self, address: BucketAddress) -> None:
        self.address = address
        try:
            self._client: Any = boto3.client("s3", config=_CONFIG)
        except BotoCoreError as error:
            raise self._fail(error) from None

    def push(self, data: bytes) -> str:
        """Add a version, make it the newest, and return its digest. data: of a `.tape` file."""
        digest = sha256(data).hexdigest()
        self._put(f"{digest}{TAPE}", data)
        self._put(_LATEST, f"{digest}\n".encode())
        return digest

    def find_digest(self) -> str:
        """Return the digest of the version that the address names."""
        if self.address.digest is not None:
            return self.address.digest
        digest = self._get(_LATEST).decode("ascii", "replace").strip()
        if re.fullmatch(r"[0-9a-f]{64}", digest) is None:
            raise CassetteError(
                f"{self.address}/{_LATEST}: expected the digest of a version, found"
                f" {digest[:80]!r}; push again"
            )
        return digest

    def fetch(self, file: Path, digest: str) -> None:
        """Write a version to a file in one step, unless the file is that version."""
        if file.exists() and sha256(file.read_bytes()).hexdigest() == digest:
            return
        data = self._get(f"{digest}{TAPE}")
        if (actual := sha256(data).hexdigest()) != digest:
            raise CassetteError(
                f"{self.address}: expected a file with the digest {digest}, found {actual}; push"
                " again"
            )
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(file, data)

    def _put(self, name: str, data: bytes) -> None:
        key = f"{self.address.prefix}/{name}"
        try:
            self._client.put_object(Bucket=self.address.bucket, Key=key, Body=data)
        except (BotoCoreError, ClientError) as error:
            raise self._fail(error) from None

    def _get(self, name: str) -> bytes:
        key = f"{self.address.prefix}/{name}"
        try:
            answer = self._client.get_object(Bucket=self.address.bucket, Key=key)
            data: bytes = answer["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                raise CassetteMissing(
                    f"{self.address}: expected cassettes, found no object {key}; push them with"
                    f" bedtape cassette push s3://{self.address.bucket}/{self.address.prefix}"
                ) from None
            raise self._fail(error) from None
        except (BotoCoreError, OSError) as error:
            raise self._fail(error) from None
        return data

    def _fail(self, error: Exception) -> CassetteError:
        return CassetteError(f"{self.address}: S3 cannot be used: {' '.join(str(error).split())}")
