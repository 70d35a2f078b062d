"""The certificate authority of this user: one private file in the state
folder, created at first use.

Nothing is installed: `trust.py` names the certificate in the variables of the
programs that bedtape starts.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedtape_cassettes.addresses import SERVICES, is_region, read_host, render_host
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.storage.store import find_state_folder

if TYPE_CHECKING:
    from bedtape_cassettes.storage.certificates import KeyPair

FILE = "tls-authority.pem"
# Regions that have endpoints for FIPS 140.
_FIPS = ("us-", "ca-")
# Partitions whose endpoints `read_host` reads.
_PARTITIONS = ("aws", "aws-cn", "aws-eusc", "aws-us-gov")


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority. file: key and certificate. certificate: PEM. hosts: it may sign."""

    file: Path
    certificate: bytes
    hosts: frozenset[str]
    expires: datetime
    _pair: KeyPair

    def permits(self, host: str) -> bool:
        """Return whether clients accept a certificate of this authority for a host of Bedrock."""
        return host in self.hosts

    def issue(self, names: Sequence[str]) -> bytes:
        """Return a new key and certificate for a server, in PEM. names: hosts and IP addresses."""
        leaf: KeyPair = _certificates().issue_leaf(self._pair, names, datetime.now(UTC))
        return leaf.pem


def open_authority(environ: Mapping[str, str]) -> Authority:
    """Return the authority of the state folder, and create it if there is none.

    Raises CassetteError if the extra `tls` is not installed, or if the file is damaged,
    expired or readable by others.
    """
    certificates = _certificates()
    file = find_state_folder(environ) / FILE
    fix = f"remove {file}, and bedtape creates a new one"
    try:
        if not file.exists():
            _create(file, certificates.create_authority(list_hosts(), datetime.now(UTC)).pem)
        mode, data = file.stat().st_mode & 0o777, file.read_bytes()
    except OSError as error:
        fix = "name another folder in BEDTAPE_STATE_DIR"
        raise CassetteError(
            f"{file}: expected a file that can be read or created, found: {error.strerror}; {fix}"
        ) from None
    if mode & 0o077:
        actual = f"one that other users can use (mode {mode:04o})"
        raise CassetteError(
            f"{file}: expected a private key, found {actual}; {fix}, or run chmod 600 {file}"
        )
    try:
        pair = certificates.parse_pem(data)
        hosts = certificates.list_permitted(pair.certificate)
    except Exception:  # noqa: BLE001 - the library raises a dozen kinds of errors for a damaged file
        actual = "another content" if data else "an empty file"
        raise CassetteError(
            f"{file}: expected bedtape's certificate authority, found {actual}; {fix}"
        ) from None
    expires: datetime = pair.certificate.not_valid_after_utc
    if expires < datetime.now(UTC):
        actual = f"one that expired on {expires:%Y-%m-%d}"
        raise CassetteError(
            f"{file}: expected a certificate authority that is valid, found {actual}; {fix}"
        )
    return Authority(file, pair.certificate_pem, hosts, expires, pair)


def list_hosts() -> list[str]:
    """Return the hosts of Bedrock's endpoints in all regions that botocore contains."""
    partitions = json.loads(files("botocore").joinpath("data/partitions.json").read_bytes())[
        "partitions"
    ]
    regions = [
        region for each in partitions if each["id"] in _PARTITIONS for region in each["regions"]
    ]
    hosts = [
        render_host(service, region, fips=fips)
        for region in filter(is_region, regions)
        for service in SERVICES
        for fips in (False, True)
        if not fips or region.startswith(_FIPS)
    ]
    return [host for host in hosts if read_host(host)]


def _create(file: Path, data: bytes) -> None:
    """Write a file with mode 0600 in one step, unless another process writes it first."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        Path(file).hardlink_to(temporary)
    except FileExistsError:
        pass  # another process was first, and its file is used
    finally:
        Path(temporary).unlink()


def _certificates() -> Any:
    try:
        return import_module("bedtape_cassettes.storage.certificates")
    except ImportError:
        fix = (
            "pip install 'bedtape[tls]', or name your own certificate with --tls-cert and --tls-key"
        )
        raise CassetteError(f"TLS: expected the package cryptography, found none; {fix}") from None
